//! A private Asterisk with the driver under test.

use std::collections::BTreeMap;

use switchyard::domain::artifact::Artifact;
use switchyard::domain::finding::Finding;
use switchyard::domain::instance::PbxKind;
use switchyard::driver::asterisk::{AsteriskDriver, Shadow};
use switchyard::driver::{Expected, Part, PbxDriver, Rehearsal, Staged, StagedFile};

use super::pbx::Pbx;
use super::tenants::{TestTenant, Texts, generation};

/// A driver and the Asterisk that it drives.
pub struct Bench {
    pub pbx: Pbx,
    pub driver: AsteriskDriver,
    last: i64,
}

impl Bench {
    pub async fn start() -> Self {
        let pbx = Pbx::start().await;
        let shadow = Shadow::new(pbx.private.program().clone());
        let driver = AsteriskDriver::new(
            pbx.private.settings().clone(),
            pbx.private.secret().clone(),
            Some(shadow),
        );
        Self { pbx, driver, last: 0 }
    }

    /// Stages the next generation.
    pub async fn stage(&mut self, texts: &Texts) -> Staged {
        self.last += 1;
        self.driver.stage(self.last, staged_files(texts)).await.unwrap()
    }

    /// Has a shadow read the generation that was staged last.
    pub async fn rehearse(&self) -> Rehearsal {
        self.driver.rehearse(self.last).await.unwrap()
    }

    /// Makes the generation that was staged last the live one.
    pub async fn apply(&self, reload: &[Artifact]) {
        self.driver.apply(self.last, reload).await.unwrap();
    }

    /// Makes these texts live, all of them read again.
    pub async fn live(&mut self, texts: &Texts) {
        self.stage(texts).await;
        self.apply(Artifact::of(PbxKind::Asterisk)).await;
    }

    pub async fn verify(&self, expected: &Expected) -> Vec<Finding> {
        self.driver.verify(expected).await.unwrap()
    }

    /// Makes tenants live, proven and without a complaint.
    pub async fn serve(&mut self, tenants: &[TestTenant]) -> (Texts, Expected) {
        let (texts, expected) = generation(tenants);
        self.live(&texts).await;
        assert_eq!(self.verify(&expected).await, []);
        assert_eq!(self.driver.log_since_apply().await, []);
        (texts, expected)
    }
}

/// Texts as files to be staged.
pub fn staged_files(texts: &Texts) -> BTreeMap<Artifact, StagedFile> {
    let staged = |text: &String| StagedFile {
        parts: vec![Part::Bytes(text.clone().into_bytes())],
        unchanged: false,
        written: None,
    };
    texts.iter().map(|(file, text)| (*file, staged(text))).collect()
}

/// The codes of findings.
pub fn codes(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}
