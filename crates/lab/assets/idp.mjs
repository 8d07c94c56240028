// The lab's identity provider: oidc-provider with a page on which one picks who to be.
//
//   node idp.mjs CONFIG.json
//
// CONFIG: { port, jwks_file, cookie_key, client: { id, secret, redirect_uris,
//   post_logout_redirect_uris, backchannel_logout_uri }, people: [{ login, password, name, email, groups }] }
// Prints one line, {"issuer":"http://localhost:PORT"}, once it listens. Ends when its standard
// input closes, so it never outlives the lab.
//
// A client without a browser signs a person in with one cookie jar and no automatic redirects:
//   1. GET the console's sign-in route; follow its Location to <issuer>/auth?…&code_challenge=…
//   2. 303 to <issuer>/interaction/<uid> (relative to the issuer). Keep its cookies.
//   3. POST <issuer>/interaction/<uid>, form body login=maria&password=maria-lab (wrong: 401).
//   4. 303 to <issuer>/auth/<uid>; GET it with the cookies.
//   5. 303 to <console>/auth/callback?code=…&state=…&iss=…; GET it at the console.
// The page asks on every sign-in. If the cookie jar belonged to somebody else, step 4 answers 200
// with a form (posted by script) to /session/end/confirm, which signs that person out first and
// leads back to step 4: give each person a jar of their own, or post that form.

import { createHmac, generateKeyPairSync, timingSafeEqual } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import Provider, { interactionPolicy } from 'oidc-provider';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const people = new Map(config.people.map((person) => [person.login, person]));
const MAX_FORM_BYTES = 4096;

// The newest first, which signs; the one before it is published for as long as tokens of it are about.
function signingKeys(file) {
  if (!existsSync(file)) rotateKeys(file);
  return JSON.parse(readFileSync(file, 'utf8'));
}

function rotateKeys(file) {
  const { keys } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { keys: [] };
  const number = keys.length ? Number(keys[0].kid.split('-')[1]) + 1 : 1;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: `lab-${number}` };
  writeFileSync(file, JSON.stringify({ keys: [key, ...keys].slice(0, 2) }), { mode: 0o600 });
}

function policy() {
  const { base, Check } = interactionPolicy;
  const rules = base();
  rules
    .get('login')
    .checks.add(
      new Check('pick_each_time', 'Pick who to sign in as', (ctx) =>
        ctx.oidc.result?.login ? Check.NO_NEED_TO_PROMPT : Check.REQUEST_PROMPT,
      ),
    );
  return rules;
}

async function grant(ctx) {
  const { client, session, result, provider } = ctx.oidc;
  const id = result?.consent?.grantId ?? session.grantIdFor(client.clientId);
  const known = id && (await provider.Grant.find(id));
  if (known && known.accountId === session.accountId) return known;
  const fresh = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
  fresh.addOIDCScope('openid profile email groups offline_access');
  await fresh.save();
  return fresh;
}

function settings() {
  const { client } = config;
  return {
    clients: [
      {
        client_id: client.id,
        client_secret: client.secret,
        client_name: 'Slipway',
        redirect_uris: client.redirect_uris,
        post_logout_redirect_uris: client.post_logout_redirect_uris,
        backchannel_logout_uri: client.backchannel_logout_uri,
        backchannel_logout_session_required: true,
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_basic',
        id_token_signed_response_alg: 'RS256',
      },
    ],
    jwks: signingKeys(config.jwks_file),
    cookies: { keys: [config.cookie_key] },
    scopes: ['openid', 'profile', 'email', 'groups', 'offline_access'],
    claims: {
      openid: ['sub', 'sid'],
      profile: ['name', 'preferred_username'],
      email: ['email', 'email_verified'],
      groups: ['groups'],
    },
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    pkce: { required: () => true },
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: (ctx, form) => {
          ctx.body = page(
            'Sign out',
            `<h1>Sign out?</h1>${form}
            <button form="op.logoutForm" name="logout" value="yes" autofocus>Sign out</button>`,
          );
        },
        postLogoutSuccessSource: (ctx) => {
          ctx.body = page('Signed out', '<h1>You are signed out.</h1>');
        },
      },
    },
    // Its own dispatcher refuses addresses of this machine, and nothing of the lab has another.
    fetch: (url, { dispatcher: _, ...options }) => fetch(url, options),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}`, policy: policy() },
    loadExistingGrant: grant,
    findAccount: (_ctx, login) => {
      const person = people.get(login);
      return person && { accountId: login, claims: () => claims(person) };
    },
    renderError: (ctx, { error, error_description: why }) => {
      ctx.type = 'html';
      ctx.body = page(
        'Sign-in failed',
        `<h1>Sign-in failed</h1><p>${escaped(error)}: ${escaped(why ?? '')}</p>`,
      );
    },
    ttl: {
      AccessToken: 3600,
      AuthorizationCode: 60,
      Grant: 86400,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: 86400,
      Session: 86400,
    },
  };
}

function claims({ login, name, email, groups }) {
  return { sub: login, preferred_username: login, name, email, email_verified: true, groups };
}

const escaped = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

function page(title, body) {
  return `<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>${escaped(title)}</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
  body { max-width: 28rem; margin: 12vh auto 0; padding: 0 1rem }
  h1 { font-size: 1.25rem } form { margin: .5rem 0 }
  button { width: 100%; padding: .7rem 1rem; font: inherit; text-align: left; border-radius: .5rem; border: 1px solid GrayText; cursor: pointer }
  button small { display: block; opacity: .7 } [role=alert] { color: #c33 }
</style><body>${body}</body></html>`;
}

function pickPage(uid, problem) {
  const forms = config.people.map(
    ({ login, password, name, groups }) => `<form method="post" action="/interaction/${escaped(uid)}">
  <input type="hidden" name="login" value="${escaped(login)}">
  <input type="hidden" name="password" value="${escaped(password)}">
  <button type="submit">${escaped(name)} (${escaped(login)})<small>${escaped(groups.join(', '))}</small></button>
</form>`,
  );
  return page(
    'Sign in to the lab',
    `<h1>Sign in as</h1>${problem ? `<p role="alert">${escaped(problem)}</p>` : ''}${forms.join('\n')}`,
  );
}

async function readForm(req) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of req) {
    bytes += chunk.length;
    if (bytes > MAX_FORM_BYTES) return undefined;
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}

// Digests have one length, so the comparison tells nothing of the password's.
const digest = (text) => createHmac('sha256', config.cookie_key).update(text).digest();
const same = (left, right) => timingSafeEqual(digest(left), digest(right));

function send(res, status, html) {
  res.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' });
  res.end(html);
}

async function interact(provider, req, res) {
  let interaction;
  try {
    interaction = await provider.interactionDetails(req, res);
  } catch {
    return send(
      res,
      400,
      page('Start again', '<h1>This sign-in has expired.</h1><p>Start again at the console.</p>'),
    );
  }
  if (interaction.prompt.name === 'consent') {
    return provider.interactionFinished(req, res, { consent: {} }, { mergeWithLastSubmission: true });
  }
  if (req.method !== 'POST') return send(res, 200, pickPage(interaction.uid));
  const form = await readForm(req);
  if (!form) return send(res, 413, pickPage(interaction.uid, 'That form is too long.'));
  const person = people.get(form.get('login'));
  if (!person || !same(person.password, form.get('password') ?? '')) {
    return send(res, 401, pickPage(interaction.uid, 'No such person and password.'));
  }
  return provider.interactionFinished(
    req,
    res,
    { login: { accountId: person.login } },
    { mergeWithLastSubmission: false },
  );
}

const server = createServer();
server.on('error', (error) => {
  process.stderr.write(`the identity provider cannot listen on port ${config.port}: ${error.message}\n`);
  process.exit(1);
});
server.listen(config.port, '127.0.0.1', () => {
  const issuer = `http://localhost:${server.address().port}`;
  let provider = new Provider(issuer, settings());
  let callback = provider.callback();
  server.on('request', (req, res) => {
    // For tests: from now on it signs with a new key. Who is signed in stays so.
    if (req.method === 'POST' && req.url === '/lab/keys') {
      rotateKeys(config.jwks_file);
      provider = new Provider(issuer, settings());
      callback = provider.callback();
      return send(res, 200, '');
    }
    if (!req.url.startsWith('/interaction/')) return callback(req, res);
    return interact(provider, req, res).catch((error) => {
      process.stderr.write(`${error.stack}\n`);
      if (!res.headersSent) send(res, 500, page('Sign-in failed', '<h1>Sign-in failed.</h1>'));
    });
  });
  process.stdout.write(`${JSON.stringify({ issuer })}\n`);
});
process.stdin.on('end', () => process.exit(0)).resume();
