//! Signing in without the secret going over the wire, and where it may go.

use secrecy::SecretString;
use tokio::sync::mpsc;

use super::peer::{Asked, Stage};
use crate::wire::ami::{ClearSecret, Endpoint, LinkError, Login, Trust, connect};
use crate::wire::link::LinkFailure as _;

/// A manager that answers a challenge with these lines, and tells every action that it heard.
async fn stage(
    kind: &'static str,
    lines: &'static str,
    clear: ClearSecret,
) -> (Stage, mpsc::UnboundedReceiver<Asked>) {
    let (tell, told) = mpsc::unbounded_channel();
    let mut stage = Stage::new(move |_, mut peer| {
        let tell = tell.clone();
        async move {
            peer.greet().await;
            while let Some(asked) = peer.asked().await {
                let (kind, lines) = if asked["Action"] == "Challenge" {
                    (kind, lines)
                } else {
                    ("Success", "")
                };
                peer.respond(&asked, kind, lines).await;
                tell.send(asked).unwrap();
            }
        }
    })
    .await;
    stage.config.login = Login::Challenge {
        username: "lab".to_owned(),
        secret: SecretString::from("throwaway"),
        clear,
    };
    (stage, told)
}

#[tokio::test]
async fn a_challenge_is_answered_and_the_secret_stays_here() {
    let (stage, mut told) = stage("Success", "Challenge: 840415273\r\n", ClearSecret::Anywhere).await;
    let _ = connect(&stage.config).await.unwrap();
    let challenge = told.recv().await.unwrap();
    assert_eq!(
        (challenge["Action"].as_str(), challenge["AuthType"].as_str()),
        ("Challenge", "MD5")
    );
    let login = told.recv().await.unwrap();
    assert_eq!(login["Username"], "lab");
    // md5("840415273throwaway")
    assert_eq!(login["Key"], "1c3d6f1c035a35ef0a61588c981ecf34");
    assert!(!login.contains_key("Secret") && !format!("{login:?}").contains("throwaway"));
}

#[tokio::test]
async fn without_a_challenge_the_secret_goes_only_where_it_may() {
    let none = "Message: Must specify AuthType\r\n";
    let (open, mut told) = stage("Error", none, ClearSecret::Loopback).await;
    let _ = connect(&open.config).await.unwrap();
    assert_eq!(told.recv().await.unwrap()["Action"], "Challenge");
    assert_eq!(told.recv().await.unwrap()["Secret"], "throwaway");

    let (closed, mut told) = stage("Error", none, ClearSecret::Never).await;
    let error = connect(&closed.config).await.unwrap_err();
    assert!(
        matches!(&error, LinkError::NoChallenge { message } if message == "Must specify AuthType"),
        "{error:?}"
    );
    drop(closed);
    assert_eq!(told.recv().await.unwrap()["Action"], "Challenge");
    assert!(told.recv().await.is_none(), "nothing more was said");
}

#[tokio::test]
async fn who_speaks_no_tls_hears_nothing() {
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut stage = Stage::new(move |_, mut peer| {
        let tell = tell.clone();
        async move {
            peer.greet().await;
            if let Some(asked) = peer.asked().await {
                tell.send(asked).unwrap();
            }
        }
    })
    .await;
    let Endpoint::Tcp { host, port } = stage.config.endpoint.clone() else {
        panic!("the stage is reached by TCP");
    };
    stage.config.endpoint = Endpoint::Tls {
        host,
        port,
        trust: Trust::System,
    };
    let error = connect(&stage.config).await.unwrap_err();
    assert!(matches!(&error, LinkError::Tls { .. }), "{error:?}");
    assert!(!error.is_refusal(), "nobody said no: {error:?}");
    drop(stage);
    if let Some(asked) = told.recv().await {
        assert!(!format!("{asked:?}").contains("throwaway"), "{asked:?}");
    }
}

#[tokio::test]
async fn certificates_that_cannot_be_read_are_named() {
    let mut stage = Stage::new(|_, mut peer| async move { peer.fall_silent().await }).await;
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for path in [folder.path().join("none.pem"), empty] {
        stage.config.endpoint = Endpoint::Tls {
            host: "127.0.0.1".to_owned(),
            port: match &stage.config.endpoint {
                Endpoint::Tcp { port, .. } | Endpoint::Tls { port, .. } => *port,
            },
            trust: Trust::File(path.clone()),
        };
        let error = connect(&stage.config).await.unwrap_err();
        assert!(
            matches!(&error, LinkError::Trust { path: named, .. } if *named == path),
            "{error:?}"
        );
    }
}
