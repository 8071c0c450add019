//! Chains of queries, each reading the one before it.

/// `first`, followed by `step` repeated up to `count` queries; `{}` in `step` is the query before.
pub fn on_one_another(first: &str, step: &str, count: usize) -> String {
    let mut ctes = vec![format!("w0 AS ({first})")];
    ctes.extend((1..count).map(|n| {
        let step = step.replace("{}", &format!("w{}", n - 1));
        format!("w{n} AS ({step})")
    }));
    format!(
        "WITH {} SELECT count(*) FROM w{}",
        ctes.join(", "),
        count - 1
    )
}
