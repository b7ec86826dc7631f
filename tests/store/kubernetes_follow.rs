//! Lists and watches of the API server, as the daemon's consumer uses them.

use std::time::{Duration, Instant};

use hep_tests::server::{
    kubectl::ApiGroup,
    kubernetes::{Account, ApiServer},
};
use hep_userspace::{
    model::{Kind, NodeName, ResourceId},
    store::{
        config::KubernetesConfig,
        follow::upstream::{Change, Listed, Loss, Resume, Step, Upstream as _},
        kubernetes::KubernetesUpstream,
    },
};
use tokio::runtime::Runtime;

use crate::kubernetes_support::{config, runtime};

const KINDS: [Kind; 9] = [
    Kind::ClusterInformation,
    Kind::FelixConfiguration,
    Kind::Tier,
    Kind::GlobalNetworkPolicy,
    Kind::StagedGlobalNetworkPolicy,
    Kind::GlobalNetworkSet,
    Kind::HostEndpoint,
    Kind::Profile,
    Kind::Node,
];
/// The longest wait for anything.
const LIMIT: Duration = Duration::from_secs(20);

/// A server, and a host that follows it.
struct Fleet {
    runtime: Runtime,
    upstream: KubernetesUpstream,
    group: ApiGroup,
    server: ApiServer,
}

impl Fleet {
    fn new(group: ApiGroup) -> Self {
        let server = ApiServer::start();
        server.install_kinds(group);
        let upstream = KubernetesUpstream::new(config(&server), NodeName::from("web1"));
        Self {
            runtime: runtime(),
            upstream,
            group,
            server,
        }
    }

    fn list(&mut self) -> Result<Listed, Loss> {
        self.runtime.block_on(self.upstream.list(&KINDS))
    }

    fn watch(&mut self, from: &Resume) -> Result<(), Loss> {
        self.runtime.block_on(self.upstream.watch(from))
    }

    /// Lists and watches.
    fn begin(&mut self) -> Listed {
        let listed = self.list().expect("the server is there");
        self.watch(&listed.resume).expect("the server is there");
        listed
    }

    fn next(&mut self) -> Result<Step, Loss> {
        let next = async { tokio::time::timeout(LIMIT, self.upstream.next()).await };
        self.runtime.block_on(next).expect("there is a next step")
    }

    /// The next changes of a kind.
    fn changes(&mut self, wanted: Kind) -> (Vec<Change>, Option<String>) {
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            match self.next() {
                Ok(Step::Changes {
                    kind,
                    changes,
                    resume,
                }) if kind == wanted => return (changes, resume),
                Ok(Step::Changes { .. } | Step::Progress { .. } | Step::Alive) => {}
                Err(loss) => panic!("{loss:?}"),
            }
        }
        panic!("nothing changed")
    }

    /// The loss that the watches end with.
    fn loss(&mut self) -> Loss {
        loop {
            if let Err(loss) = self.next() {
                return loss;
            }
        }
    }

    fn wait_for_the_server(&mut self) {
        while self.runtime.block_on(self.upstream.probe()).is_err() {
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Watches from where it was, or lists if that is gone; a server that has just begun asks for patience.
    fn watch_again(&mut self, from: &Resume) {
        loop {
            match self.watch(from) {
                Ok(()) => return,
                Err(Loss::TooMany(wait)) => std::thread::sleep(wait.unwrap_or_default()),
                Err(Loss::Expired(_)) => match self.list() {
                    Ok(listed) => return self.watch_again(&listed.resume),
                    Err(Loss::TooMany(wait)) => std::thread::sleep(wait.unwrap_or_default()),
                    Err(loss) => panic!("{loss:?}"),
                },
                Err(loss) => panic!("{loss:?}"),
            }
        }
    }

    /// Waits for a set: it is watched, or listed once the history is gone.
    fn sees(&mut self, set: &str) {
        loop {
            match self.next() {
                Ok(Step::Changes { changes, .. }) => {
                    if changes.iter().map(name).any(|found| found == (set, true)) {
                        return;
                    }
                }
                Ok(Step::Progress { .. } | Step::Alive) => {}
                Err(Loss::Expired(_)) => {
                    let listed = self.list().expect("the server is there");
                    let key = format!("globalnetworksets/{set}");
                    assert!(listed.objects.iter().any(|seen| *seen.key == *key));
                    return;
                }
                Err(loss) => panic!("{loss:?}"),
            }
        }
    }

    fn put_set(&self, name: &str, net: &str) {
        self.server.apply(&format!(
            "apiVersion: {}\nkind: GlobalNetworkSet\nmetadata: {{name: {name}}}\nspec: {{nets: [{net}]}}\n",
            self.group.version()
        ));
    }
}

fn name(change: &Change) -> (&str, bool) {
    match change {
        Change::Put(seen) => (&seen.id.name, true),
        Change::Deleted { id, .. } => (&id.name, false),
    }
}

/// DS-145, DS-148, EX-32.
#[test]
fn changes_of_each_kind_arrive_after_the_list() {
    for group in ApiGroup::ALL {
        let mut fleet = Fleet::new(group);
        fleet.put_set("first", "192.0.2.0/24");
        let listed = fleet.begin();
        assert!(
            listed
                .objects
                .iter()
                .any(|seen| &*seen.key == "globalnetworksets/first")
        );
        assert_eq!(listed.resume.len(), KINDS.len());
        assert!(listed.position.is_some());
        fleet.put_set("second", "198.51.100.0/24");
        let (changes, _) = fleet.changes(Kind::GlobalNetworkSet);
        assert_eq!(
            changes.iter().map(name).collect::<Vec<_>>(),
            [("second", true)]
        );
        fleet
            .server
            .delete(&format!("globalnetworksets.{}", group.name()), "first");
        let (changes, _) = fleet.changes(Kind::GlobalNetworkSet);
        assert_eq!(
            changes.iter().map(name).collect::<Vec<_>>(),
            [("first", false)]
        );
        // Another node is nobody's business here (DS-289).
        fleet
            .server
            .apply("{apiVersion: v1, kind: Node, metadata: {name: db1}}");
        fleet
            .server
            .apply("{apiVersion: v1, kind: Node, metadata: {name: web1}}");
        let (changes, _) = fleet.changes(Kind::Node);
        assert_eq!(
            changes.iter().map(name).collect::<Vec<_>>(),
            [("web1", true)]
        );
    }
}

/// DS-159, DS-160: the two halves of profiles each go on from where they were.
#[test]
fn profiles_resume_in_two_halves() {
    let mut fleet = Fleet::new(ApiGroup::Crd);
    let before = fleet.begin().resume[&Kind::Profile].clone();
    fleet.server.run(&["create", "namespace", "prod"]);
    let (changes, resume) = fleet.changes(Kind::Profile);
    assert_eq!(
        changes.iter().map(name).collect::<Vec<_>>(),
        [("kns.prod", true)]
    );
    let resume = resume.expect("it goes on from there");
    let halves = |text: &str| {
        let (namespaces, accounts) = text.split_once('/').expect("two revisions");
        (namespaces.to_owned(), accounts.to_owned())
    };
    assert_ne!(halves(&before).0, halves(&resume).0);
    assert_eq!(halves(&before).1, halves(&resume).1);
    fleet
        .server
        .run(&["create", "serviceaccount", "-n", "prod", "ci"]);
    let from = Resume::from([(Kind::Profile, resume)]);
    fleet.watch(&from).expect("the server is there");
    let (changes, _) = fleet.changes(Kind::Profile);
    assert_eq!(
        changes.iter().map(name).collect::<Vec<_>>(),
        [("ksa.prod.ci", true)]
    );
}

/// DS-144, DS-318, EX-37: deletions by a definition's deletion are seen through, also without the
/// permission to read definitions.
#[test]
fn a_kind_whose_definition_goes_is_not_served() {
    for account in [Account::Administrator, Account::Agent] {
        let mut fleet = Fleet::new(ApiGroup::Crd);
        fleet.server.grant_reading();
        let config = KubernetesConfig {
            kubeconfig: vec![fleet.server.kubeconfig(account)],
            ..KubernetesConfig::default()
        };
        fleet.upstream = KubernetesUpstream::new(config, NodeName::from("web1"));
        fleet.put_set("s", "192.0.2.0/24");
        fleet.begin();
        let is_served = |fleet: &mut Fleet| {
            let served = fleet.upstream.is_served(Kind::GlobalNetworkSet);
            fleet.runtime.block_on(served)
        };
        assert_eq!(is_served(&mut fleet), Ok(true));
        let definition = "globalnetworksets.crd.projectcalico.org";
        fleet
            .server
            .run(&["delete", "--wait=false", "crd", definition]);
        let (changes, _) = fleet.changes(Kind::GlobalNetworkSet);
        let id = ResourceId::global(Kind::GlobalNetworkSet, "s");
        assert!(matches!(&changes[0], Change::Deleted { id: found, .. } if *found == id));
        assert_eq!(is_served(&mut fleet), Ok(false), "{account:?}");
        let begun = Instant::now();
        while fleet.list() != Err(Loss::NotServed(Kind::GlobalNetworkSet)) {
            assert!(begun.elapsed() < LIMIT, "the definition stays");
        }
        assert_eq!(is_served(&mut fleet), Ok(false), "{account:?}");
    }
}

/// DS-143, DS-147, DS-232, EX-32: history that is gone is listed again, most recent.
#[test]
fn a_watch_from_a_revision_that_is_gone_expires() {
    let mut fleet = Fleet::new(ApiGroup::Crd);
    let listed = fleet.begin();
    fleet.server.kill();
    fleet.server.etcd().compact();
    assert!(matches!(fleet.loss(), Loss::Unreachable(_)));
    fleet.server.launch();
    fleet.put_set("s", "192.0.2.0/24");
    fleet.server.etcd().compact();
    fleet.wait_for_the_server();
    let old = Resume::from([(Kind::GlobalNetworkSet, "1".to_owned())]);
    let expired = Loss::Expired(Kind::GlobalNetworkSet);
    match fleet.watch(&old) {
        Ok(()) => assert_eq!(fleet.loss(), expired),
        Err(loss) => assert_eq!(loss, expired),
    }
    let again = fleet.list().expect("the server is there");
    assert!(again.position > listed.position);
    assert!(
        again
            .objects
            .iter()
            .any(|seen| &*seen.key == "globalnetworksets/s")
    );
}

/// DS-149, DS-254: a server that dies or halts is noticed, and what happened meanwhile is not missed.
#[test]
fn watches_survive_what_happens_to_a_server() {
    let mut fleet = Fleet::new(ApiGroup::V3);
    let mut resume = fleet.begin().resume;
    for fault in ["kill", "pause"] {
        let begun = Instant::now();
        match fault {
            "kill" => fleet.server.kill(),
            _ => fleet.server.pause(),
        }
        assert!(matches!(fleet.loss(), Loss::Unreachable(_)), "{fault}");
        assert!(begun.elapsed() < Duration::from_secs(12), "{fault}");
        match fault {
            "kill" => fleet.server.launch(),
            _ => fleet.server.resume(),
        }
        fleet.wait_for_the_server();
        fleet.watch_again(&resume);
        fleet.put_set(fault, "192.0.2.0/24");
        fleet.sees(fault);
        resume = fleet.list().expect("the server is there").resume;
    }
}

/// DS-146, DS-251: bookmarks move the place to resume from.
#[test]
fn bookmarks_arrive_about_once_a_minute() {
    let mut fleet = Fleet::new(ApiGroup::Crd);
    fleet.begin();
    // The server sends none for kinds that never changed.
    fleet.put_set("s", "192.0.2.0/24");
    let (_, resume) = fleet.changes(Kind::GlobalNetworkSet);
    let number = |text: &str| text.parse::<u64>().expect("a number");
    let changed = number(&resume.expect("it goes on from there"));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(100) {
        if let Step::Progress { kind, resume } = fleet.next().expect("the watches go on")
            && kind == Kind::GlobalNetworkSet
        {
            assert!(number(&resume) >= changed);
            return;
        }
    }
    panic!("there is no bookmark");
}
