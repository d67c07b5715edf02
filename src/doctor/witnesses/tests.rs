use super::super::access::testing::DOOR;
use super::super::check::Status;
use super::*;

fn minutes(minutes: u64) -> Result<Newest, Why> {
    Ok(Newest::Old(Duration::from_mins(minutes)))
}

fn judged(asked: Vec<Result<Newest, Why>>) -> Finding {
    let names = ["a", "b", "c", "d"].map(str::to_owned);
    let asked: Vec<_> = names.into_iter().zip(asked).collect();
    metrics(&DOOR, &asked)
}

#[test]
fn no_machine_hides_behind_one_with_fresh_metrics() {
    let refused = || Err(Why::new("Azure Monitor answered HTTP 500"));
    let finding = judged(vec![
        minutes(3),
        refused(),
        minutes(25),
        Ok(Newest::Missing),
    ]);
    assert_eq!(finding.status, Status::Warn);
    assert_eq!(
        finding.sentence,
        "the metrics of 3 of 4 machines say nothing of now: \
         1 could not be read: b: Azure Monitor answered HTTP 500, in the us-gov cloud; \
         1 with a newest point older than 10m (up to 25m): c; \
         1 without a single value of the last hour: d"
    );
    assert!(finding.remedy.is_some());
    for one in [refused(), minutes(25), Ok(Newest::Missing)] {
        assert_eq!(judged(vec![minutes(3), one]).status, Status::Warn);
    }
}

#[test]
fn metrics_fail_only_where_no_machine_has_any_of_now() {
    let refused = || Err(Why::new("no"));
    for bad in [
        vec![refused()],
        vec![minutes(11)],
        vec![Ok(Newest::Missing)],
        vec![refused(), minutes(11), Ok(Newest::Missing)],
    ] {
        assert_eq!(judged(bad).status, Status::Fail);
    }
    let good = judged(vec![minutes(10), minutes(3)]);
    assert_eq!(good.status, Status::Ok);
    assert_eq!(
        good.sentence,
        "read of 2 machines; the newest point is 10m old at most"
    );
    assert_eq!(judged(Vec::new()).status, Status::Skipped);
}

#[test]
fn a_machine_that_has_just_started_is_no_fault_and_no_witness() {
    let alone = judged(vec![Ok(Newest::NotYet)]);
    assert_eq!(alone.status, Status::Skipped);
    assert_eq!(
        alone.sentence,
        "1 machine started within the last 10m and can have none yet"
    );
    let beside = judged(vec![Ok(Newest::NotYet), minutes(3), Ok(Newest::NotYet)]);
    assert_eq!(beside.status, Status::Ok);
    assert_eq!(
        beside.sentence,
        "read of 1 machine; the newest point is 3m old at most; \
         2 more machines started within the last 10m"
    );
    let hidden = judged(vec![Ok(Newest::NotYet), Ok(Newest::Missing)]);
    assert_eq!(hidden.status, Status::Fail);
    let told = "; 1 more machine started within the last 10m";
    assert!(hidden.sentence.ends_with(told), "{}", hidden.sentence);
}

#[test]
fn a_machine_that_azure_does_not_know_is_not_the_workspace() {
    let unknown =
        "ARM answered 404 ResourceNotFound (no VM of that name) to: read the metrics of a VM";
    let finding = judged(vec![Err(Why::new(unknown))]);
    assert_eq!(finding.status, Status::Fail);
    let remedy = finding.remedy.expect("a remedy");
    assert_eq!(remedy, Remedy::look(commands::record(DOOR.workspace)));
    // What else is missing is not hidden behind it.
    let role = "ARM answered 403 AuthorizationFailed (needs Monitoring Reader) to: read the metrics of a VM";
    let finding = judged(vec![Err(Why::new(unknown)), Err(Why::new(role))]);
    let remedy = finding.remedy.expect("a remedy");
    assert_eq!(remedy, azure_remedy(&DOOR, &Why::new(role)));
    assert_ne!(remedy, Remedy::look(commands::record(DOOR.workspace)));
}
