//! The policies, and what they say of one question.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::LazyLock,
};

use cedar_policy::{
    Authorizer, Context, Decision, Effect, Entities, Entity, EntityId, EntityTypeName, EntityUid,
    PolicyId, PolicySet, PrincipalConstraint, Request, RestrictedExpression, Schema,
    ValidationMode, Validator,
};
use domain::{id::UserId, person::PersonKind};

use crate::{Action, Kind, Resource, Role};

const SCHEMA: &str = include_str!("../../../policies/slipway.cedarschema");
const POLICIES: [&str; 2] = [
    include_str!("../../../policies/roles.cedar"),
    include_str!("../../../policies/limits.cedar"),
];

/// Why the policies cannot be used: a sentence for whoever changed them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The policies in policies/ cannot be used: {0}")]
pub struct PolicyError(String);

/// What the policies say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The role that it is allowed to, and the id of the policy that says so.
    Allowed(Role, String),
    /// No policy allows it.
    NotAllowed,
    /// What a policy that forbids it says, and its id.
    Forbidden { says: String, policy: String },
}

/// Who a question is about, apart from the roles they hold.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub user: UserId,
    /// Other ids of the same human.
    pub selves: &'a [UserId],
    pub kind: PersonKind,
}

pub(crate) struct Rules {
    schema: Schema,
    policies: PolicySet,
    authorizer: Authorizer,
    principal: EntityTypeName,
    role: EntityTypeName,
    action: EntityTypeName,
    kinds: HashMap<Kind, EntityTypeName>,
    /// The role a policy allows something to, by the id of the policy.
    grants_to: BTreeMap<String, Role>,
}

static RULES: LazyLock<Result<Rules, PolicyError>> = LazyLock::new(Rules::load);

/// The policies of this program; an error is a defect that its tests would have found.
pub(crate) fn rules() -> Result<&'static Rules, PolicyError> {
    RULES.as_ref().map_err(Clone::clone)
}

/// Whether the policies can be read and fit their schema; to be asked at the start.
pub fn check() -> Result<(), PolicyError> {
    rules().map(|_| ())
}

impl Rules {
    fn load() -> Result<Self, PolicyError> {
        let bad = |why: &dyn ToString| PolicyError(why.to_string());
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA).map_err(|why| bad(&why))?;
        let mut policies = PolicySet::new();
        let mut grants_to = BTreeMap::new();
        for text in POLICIES {
            let read: PolicySet = text.parse().map_err(|why| bad(&why))?;
            for policy in read.policies() {
                let id = policy
                    .annotation("id")
                    .ok_or_else(|| bad(&format!("a policy has no @id: {policy}")))?;
                if policy.annotation("says").is_none() {
                    return Err(bad(&format!("the policy {id} has no @says")));
                }
                if policy.effect() == Effect::Permit {
                    let role = match policy.principal_constraint() {
                        PrincipalConstraint::In(role) => role.id().unescaped().parse().ok(),
                        _ => None,
                    };
                    let role = role.ok_or_else(|| {
                        bad(&format!("the policy {id} permits something to no role"))
                    })?;
                    grants_to.insert(id.to_owned(), role);
                }
                policies
                    .add(policy.new_id(PolicyId::new(id)))
                    .map_err(|why| bad(&why))?;
            }
        }
        let found = Validator::new(schema.clone()).validate(&policies, ValidationMode::Strict);
        if let Some(error) = found.validation_errors().next() {
            return Err(bad(error));
        }
        let name = |word: &str| -> Result<EntityTypeName, PolicyError> {
            format!("Slipway::{word}").parse().map_err(|why| bad(&why))
        };
        Ok(Self {
            schema,
            policies,
            authorizer: Authorizer::new(),
            principal: name("Principal")?,
            role: name("Role")?,
            action: name("Action")?,
            kinds: Kind::ALL
                .iter()
                .filter_map(|kind| Some((*kind, kind.entity()?)))
                .map(|(kind, entity)| Ok((kind, name(entity)?)))
                .collect::<Result<_, PolicyError>>()?,
            grants_to,
        })
    }

    /// What somebody who holds these roles where the resource is may do. What cannot be asked is not allowed.
    pub fn ask(
        &self,
        asker: Asker<'_>,
        roles: impl Iterator<Item = Role>,
        action: Action,
        resource: &Resource,
    ) -> Verdict {
        self.response(asker, roles, action, resource)
            .unwrap_or(Verdict::NotAllowed)
    }

    /// The roles that would do.
    pub fn roles_that_may(&self, action: Action, resource: &Resource) -> Vec<Role> {
        let nobody = Asker {
            user: UserId(Default::default()),
            selves: &[],
            kind: PersonKind::Human,
        };
        Role::ALL
            .iter()
            .copied()
            .filter(|role| {
                let verdict = self.ask(nobody, std::iter::once(*role), action, resource);
                matches!(verdict, Verdict::Allowed(..))
            })
            .collect()
    }

    /// The kinds of things the schema knows an action of.
    pub fn kinds_of(&self, action: Action) -> Vec<Kind> {
        let fits = |kind: &Kind| {
            let Some(what) = self.kinds.get(kind) else {
                return false;
            };
            let (me, asked) = (uid(&self.principal, ""), uid(&self.action, action.word()));
            Request::new(
                me,
                asked,
                uid(what, ""),
                Context::empty(),
                Some(&self.schema),
            )
            .is_ok()
        };
        Kind::ALL.iter().copied().filter(fits).collect()
    }

    fn response(
        &self,
        Asker { user, selves, kind }: Asker<'_>,
        roles: impl Iterator<Item = Role>,
        action: Action,
        resource: &Resource,
    ) -> Option<Verdict> {
        let text = |text: String| RestrictedExpression::new_string(text);
        let me = uid(&self.principal, &user.to_string());
        let selves = selves.iter().chain([&user]).map(|id| text(id.to_string()));
        let parents: HashSet<EntityUid> = roles
            .flat_map(Role::with_included)
            .map(|role| uid(&self.role, role.word()))
            .collect();
        let attributes = HashMap::from([
            ("selves".to_owned(), RestrictedExpression::new_set(selves)),
            ("kind".to_owned(), text(kind.word().to_owned())),
        ]);
        let principal = Entity::new(me.clone(), attributes, parents).ok()?;
        let what = uid(self.kinds.get(&resource.kind)?, &resource.id);
        let mut attributes = HashMap::new();
        if let Some(requester) = resource.requested_by {
            attributes.insert("requester".to_owned(), text(requester.to_string()));
        }
        if let Some((role, holder)) = resource.held {
            attributes.insert("role".to_owned(), text(role.word().to_owned()));
            attributes.insert("holder".to_owned(), text(holder.to_string()));
        }
        let about = Entity::new(what.clone(), attributes, HashSet::new()).ok()?;
        let entities = Entities::from_entities([principal, about], None).ok()?;
        let asked = uid(&self.action, action.word());
        let request = Request::new(me, asked, what, Context::empty(), Some(&self.schema)).ok()?;
        let response = self
            .authorizer
            .is_authorized(&request, &self.policies, &entities);
        // A policy that failed to be evaluated says nothing, and a forbid that says nothing would be a hole.
        if response.diagnostics().errors().next().is_some() {
            return None;
        }
        let reasons = response.diagnostics().reason();
        let mut reasons: Vec<&PolicyId> = reasons.collect();
        reasons.sort_unstable_by_key(|id| id.to_string());
        Some(match (response.decision(), reasons.first()) {
            (Decision::Allow, policy) => {
                let id = policy?.to_string();
                Verdict::Allowed(*self.grants_to.get(&id)?, id)
            }
            (Decision::Deny, None) => Verdict::NotAllowed,
            (Decision::Deny, Some(id)) => {
                let policy = self.policies.policy(id)?;
                debug_assert_eq!(policy.effect(), Effect::Forbid);
                Verdict::Forbidden {
                    says: policy.annotation("says")?.to_owned(),
                    policy: id.to_string(),
                }
            }
        })
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}
