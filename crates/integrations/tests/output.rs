//! Outputs that grow, are sealed, and are read either way: in a folder and in something that speaks like S3.

#![expect(clippy::unwrap_used, reason = "a test ends where its setting fails")]

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path as UrlPath, Query, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::any,
};
use integrations::{
    output::{OutputError, S3, Shelf, Text, remove, seal},
    supervisor::names,
};
use tempfile::TempDir;
use tokio::{net::TcpListener, task::spawn_blocking};

/// A data folder with one run in it.
struct Data {
    keep: TempDir,
    run: PathBuf,
}

impl Data {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let run = keep.path().join("attempts/one");
        fs::create_dir_all(&run).unwrap();
        Self { keep, run }
    }

    fn shelf(&self, s3: Option<S3>) -> Shelf {
        Shelf::new(self.keep.path().join("outputs"), s3).unwrap()
    }

    fn write(&self, output: &[u8]) {
        fs::write(self.run.join(names::OUTPUT), output).unwrap();
        fs::write(self.run.join(names::EVENTS), "{\"seq\":1}\n").unwrap();
    }

    fn objects(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.keep.path().join("outputs")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        found
    }
}

/// Megabytes of lines that do not repeat, one of them longer than a frame, and an end that is no line.
fn output() -> Vec<u8> {
    let mut text = Vec::new();
    let mut number = 1_u64;
    while text.len() < 3 << 20 {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        text.extend_from_slice(format!("ok: [web-{}] {number:x}\r\n", number % 97).as_bytes());
    }
    text.extend_from_slice(&vec![b'x'; 2 << 20]);
    text.extend_from_slice(b"\n\xff\xfe\x00 no text\n\nunfinished");
    text
}

fn whole(run: &Path, shelf: &Shelf) -> Result<Vec<u8>, OutputError> {
    let mut text = Text::open(run, names::OUTPUT, shelf)?;
    let mut all = Vec::new();
    loop {
        let bytes = text.bytes(all.len() as u64, 300_000)?;
        if bytes.is_empty() {
            return Ok(all);
        }
        all.extend_from_slice(&bytes);
    }
}

/// Every stretch of whole lines from some starts, as offsets and bytes.
fn stretches(run: &Path, shelf: &Shelf) -> Vec<(u64, Vec<u8>)> {
    let mut text = Text::open(run, names::OUTPUT, shelf).unwrap();
    let mut found = Vec::new();
    let mut offset = 0;
    loop {
        let (lines, next) = text.lines(offset, 200_000).unwrap();
        if lines.is_empty() {
            return found;
        }
        found.push((offset, lines));
        offset = next;
    }
}

#[tokio::test]
async fn a_sealed_output_reads_like_the_file() {
    spawn_blocking(|| {
        let data = Data::new();
        let shelf = data.shelf(None);
        let text = output();
        data.write(&text);
        let lines = |found: Vec<(u64, Vec<u8>)>| -> Vec<u8> {
            found.into_iter().flat_map(|(_, lines)| lines).collect()
        };
        let plain = lines(stretches(&data.run, &shelf));
        let mut open = Text::open(&data.run, names::OUTPUT, &shelf).unwrap();
        let bytes = seal(&data.run, &shelf).unwrap();
        assert_eq!(
            open.bytes(0, 10).unwrap(),
            text[..10],
            "who reads goes on reading"
        );

        let left: Vec<_> = fs::read_dir(&data.run)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(left, ["sealed.json"]);
        let stored: u64 = data
            .objects()
            .iter()
            .map(|path| path.metadata().unwrap().len())
            .sum();
        assert_eq!(stored, bytes);
        assert!(bytes < text.len() as u64 / 2, "{bytes}");
        assert_eq!(whole(&data.run, &shelf).unwrap(), text);
        assert_eq!(lines(stretches(&data.run, &shelf)), plain);
        let mut sealed = Text::open(&data.run, names::OUTPUT, &shelf).unwrap();
        let count = plain.iter().filter(|byte| **byte == b'\n').count() as u64;
        assert_eq!(sealed.sealed_lines(), Some(count));
        for wanted in [1, 2, 20_000, 60_000, count, count + 1] {
            let (number, offset) = sealed.sealed_line(wanted).unwrap();
            assert!(number <= wanted);
            let above = &text[..usize::try_from(offset).unwrap()];
            assert_eq!(
                above.iter().filter(|byte| **byte == b'\n').count() as u64,
                number - 1
            );
            assert!(text[above.len()..].starts_with(&sealed.bytes(offset, 100).unwrap()));
        }
        assert_eq!(
            Text::open(&data.run, names::EVENTS, &shelf)
                .unwrap()
                .bytes(0, 100)
                .unwrap(),
            b"{\"seq\":1}\n"
        );
        assert_eq!(
            seal(&data.run, &shelf).unwrap(),
            bytes,
            "sealed twice is sealed once"
        );

        remove(&data.run, &shelf).unwrap();
        remove(&data.run, &shelf).unwrap();
        assert!(data.objects().is_empty() && !data.run.exists());
        assert!(
            !Text::open(&data.run, names::OUTPUT, &shelf)
                .unwrap()
                .exists()
        );
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn sealing_goes_on_wherever_it_was_interrupted() {
    spawn_blocking(|| {
        let data = Data::new();
        let shelf = data.shelf(None);
        let text = output();

        // Killed while the object was written: half of it under its draft's name, or damaged under its own.
        data.write(&text);
        let objects = data.keep.path().join("outputs/one");
        fs::create_dir_all(&objects).unwrap();
        fs::write(objects.join("output.log.zst#1"), "half").unwrap();
        fs::write(objects.join("output.log.zst"), "something else").unwrap();
        assert_eq!(
            whole(&data.run, &shelf).unwrap(),
            text,
            "nothing is believed without a record"
        );
        seal(&data.run, &shelf).unwrap();
        assert_eq!(whole(&data.run, &shelf).unwrap(), text);
        assert_eq!(data.objects().len(), 2, "{:?}", data.objects());

        // Killed behind the record: the files are still there, or one of them is.
        data.write(&text);
        let record = fs::read(data.run.join("sealed.json")).unwrap();
        let objects = data.objects();
        let written = |path: &PathBuf| path.metadata().unwrap().modified().unwrap();
        let before: Vec<_> = objects.iter().map(written).collect();
        seal(&data.run, &shelf).unwrap();
        fs::write(data.run.join(names::EVENTS), "{\"seq\":1}\n").unwrap();
        seal(&data.run, &shelf).unwrap();
        assert_eq!(fs::read(data.run.join("sealed.json")).unwrap(), record);
        assert_eq!(
            objects.iter().map(written).collect::<Vec<_>>(),
            before,
            "nothing is written again"
        );
        assert_eq!(whole(&data.run, &shelf).unwrap(), text);

        // Nothing was ever printed, or the folder never came to be.
        let empty = Data::new();
        let shelf = empty.shelf(None);
        assert_eq!(seal(&empty.run, &shelf).unwrap(), 0);
        fs::write(empty.run.join(names::OUTPUT), "").unwrap();
        assert_eq!(seal(&empty.run, &shelf).unwrap(), 0);
        assert_eq!(whole(&empty.run, &shelf).unwrap(), b"");
        assert_eq!(seal(&empty.run.join("none"), &shelf).unwrap(), 0);
    })
    .await
    .unwrap();
}

/// How the store behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Mood {
    #[default]
    Well,
    /// Keeps only the first half of what it is given, and says that all is well.
    Forgetful,
    Refusing,
}

#[derive(Default)]
struct Bucket {
    mood: Mood,
    objects: HashMap<String, Vec<u8>>,
    parts: BTreeMap<u32, Vec<u8>>,
    parts_seen: usize,
}

type Shared = Arc<Mutex<Bucket>>;

async fn store() -> (Shared, SocketAddr) {
    let bucket = Shared::default();
    let router = Router::new()
        .route("/{bucket}/{*key}", any(answer))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(Arc::clone(&bucket));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (bucket, address)
}

/// As much of S3 as is asked for.
async fn answer(
    State(bucket): State<Shared>,
    UrlPath((_, key)): UrlPath<(String, String)>,
    Query(query): Query<HashMap<String, String>>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut bucket = bucket.lock().unwrap();
    let signed = headers.get(header::AUTHORIZATION).is_some_and(|value| {
        value
            .to_str()
            .unwrap()
            .starts_with("AWS4-HMAC-SHA256 Credential=key-id/")
    });
    if !signed || bucket.mood == Mood::Refusing {
        return (
            StatusCode::FORBIDDEN,
            "<Error><Code>AccessDenied</Code><Message>no</Message></Error>",
        )
            .into_response();
    }
    let keep = |bytes: &[u8]| match bucket.mood {
        Mood::Forgetful => bytes[..bytes.len() / 2].to_vec(),
        _ => bytes.to_vec(),
    };
    match (method, query.get("partNumber")) {
        (Method::POST, _) if query.contains_key("uploads") => "<InitiateMultipartUploadResult><UploadId>one</UploadId></InitiateMultipartUploadResult>".into_response(),
        (Method::POST, _) => {
            let whole: Vec<u8> = std::mem::take(&mut bucket.parts).into_values().flatten().collect();
            bucket.objects.insert(key, whole);
            "<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>".into_response()
        }
        (Method::PUT, Some(part)) => {
            let bytes = keep(&body);
            bucket.parts_seen += 1;
            bucket.parts.insert(part.parse().unwrap(), bytes);
            [(header::ETAG, "\"e\"")].into_response()
        }
        (Method::PUT, None) => {
            let bytes = keep(&body);
            bucket.objects.insert(key, bytes);
            [(header::ETAG, "\"e\"")].into_response()
        }
        (Method::DELETE, _) => {
            bucket.objects.remove(&key);
            StatusCode::NO_CONTENT.into_response()
        }
        (Method::GET, _) => {
            let Some(bytes) = bucket.objects.get(&key) else {
                return (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>").into_response();
            };
            let range = headers[header::RANGE].to_str().unwrap().strip_prefix("bytes=").unwrap().to_owned();
            let (from, to) = range.split_once('-').unwrap();
            let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
            if from >= bytes.len() {
                return StatusCode::RANGE_NOT_SATISFIABLE.into_response();
            }
            let to = to.min(bytes.len() - 1);
            let named = format!("bytes {from}-{to}/{}", bytes.len());
            let headers = [
                (header::CONTENT_RANGE, named),
                (header::ETAG, "\"e\"".to_owned()),
                (header::LAST_MODIFIED, "Sun, 22 Nov 2026 02:00:00 GMT".to_owned()),
            ];
            (StatusCode::PARTIAL_CONTENT, headers, bytes[from..=to].to_vec()).into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

fn s3(address: SocketAddr) -> S3 {
    S3 {
        endpoint: Some(format!("http://{address}").parse().unwrap()),
        region: "eu-central-1".to_owned(),
        bucket: "outputs".to_owned(),
        prefix: "slipway/lab".to_owned(),
        keys: Some(("key-id".to_owned(), "secret".to_owned().into())),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_what_a_folder_keeps() {
    let (bucket, address) = store().await;
    spawn_blocking(move || {
        let data = Data::new();
        let shelf = data.shelf(Some(s3(address)));
        let text = output();
        data.write(&text);
        seal(&data.run, &shelf).unwrap();
        assert!(data.objects().is_empty());
        let mut keys: Vec<_> = bucket.lock().unwrap().objects.keys().cloned().collect();
        keys.sort_unstable();
        assert_eq!(
            keys,
            [
                "slipway/lab/one/events.jsonl.zst",
                "slipway/lab/one/output.log.zst"
            ]
        );
        assert_eq!(whole(&data.run, &shelf).unwrap(), text);

        // Another bucket is set: it says where the output lies. Set again, it is read.
        let elsewhere = data.shelf(Some(S3 {
            bucket: "other".to_owned(),
            ..s3(address)
        }));
        let told = whole(&data.run, &elsewhere).unwrap_err();
        assert!(
            told.to_string().contains("s3://outputs/slipway/lab"),
            "{told}"
        );
        assert!(remove(&data.run, &elsewhere).is_err() && data.run.exists());

        // It does not let us in: nothing but this output is out of reach, and nothing is lost.
        bucket.lock().unwrap().mood = Mood::Refusing;
        let told = whole(&data.run, &shelf).unwrap_err();
        assert!(
            told.is_of_store() && told.to_string().contains("[outputs.s3]"),
            "{told}"
        );
        let told = remove(&data.run, &shelf).unwrap_err();
        assert!(
            told.is_of_store() && data.run.join("sealed.json").exists(),
            "{told}"
        );
        bucket.lock().unwrap().mood = Mood::Well;
        remove(&data.run, &shelf).unwrap();
        assert!(bucket.lock().unwrap().objects.is_empty() && !data.run.exists());
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_stays_until_its_object_was_read_back() {
    let (bucket, address) = store().await;
    spawn_blocking(move || {
        let data = Data::new();
        let shelf = data.shelf(Some(s3(address)));
        // Too much for one part, and nothing that can be made smaller.
        let mut text = Vec::new();
        let mut number = 7_u64;
        while text.len() < 20 << 20 {
            number ^= number << 13;
            number ^= number >> 7;
            number ^= number << 17;
            text.extend_from_slice(&number.to_le_bytes());
        }
        data.write(&text);
        for mood in [Mood::Forgetful, Mood::Refusing] {
            bucket.lock().unwrap().mood = mood;
            seal(&data.run, &shelf).unwrap_err();
            assert_eq!(
                fs::read(data.run.join(names::OUTPUT)).unwrap(),
                text,
                "{mood:?}"
            );
            assert_eq!(whole(&data.run, &shelf).unwrap(), text, "{mood:?}");
        }
        {
            let mut bucket = bucket.lock().unwrap();
            bucket.mood = Mood::Well;
            bucket.parts_seen = 0;
        }
        seal(&data.run, &shelf).unwrap();
        assert!(bucket.lock().unwrap().parts_seen >= 2);
        assert_eq!(whole(&data.run, &shelf).unwrap(), text);

        // Somebody has been at the object.
        if let Some(object) = bucket
            .lock()
            .unwrap()
            .objects
            .get_mut("slipway/lab/one/output.log.zst")
        {
            object[100] ^= 0xff;
        }
        let told = whole(&data.run, &shelf).unwrap_err();
        assert!(matches!(told, OutputError::Damaged { .. }), "{told}");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_there_is_told() {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    spawn_blocking(move || {
        let data = Data::new();
        let shelf = data.shelf(Some(s3(address)));
        data.write(b"one\n");
        let told = seal(&data.run, &shelf).unwrap_err();
        assert!(told.is_of_store(), "{told}");
        assert!(
            told.to_string()
                .contains("s3://outputs/slipway/lab cannot be reached"),
            "{told}"
        );
        assert_eq!(whole(&data.run, &shelf).unwrap(), b"one\n");
    })
    .await
    .unwrap();
}
