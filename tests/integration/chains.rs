//! Queries that stand on one another.

/// `first`, and on it `step` again and again, where `{}` is the query before.
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
