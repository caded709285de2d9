//! Reads of a whole collection, each bounded: a page, all rows, or a scan that filters and sorts.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    Item, Problem,
    hal::Shape,
    paging::is_paged,
    query::Query,
    resource::{Keep, Source},
};

/// Rows that one request may look at. A filter or sort over more would hold some hundred MiB; it is
/// refused rather than answered from a part.
pub(crate) const MAX_SCANNED: u64 = 100_000;
/// Rows fetched at a time.
const CHUNK: usize = 1000;
/// Scans of more than one chunk at a time in one collection: each may hold some tens of MiB. Further ones
/// are refused with `Retry-After`.
pub(crate) const LARGE_SCANS: usize = 2;

/// The rows of an answer.
#[derive(Debug)]
pub(crate) struct List {
    pub(crate) items: Vec<Item>,
    /// How many rows there are on all pages.
    pub(crate) total: u64,
}

/// Reads what `query` asks of `source`.
///
/// # Errors
/// 400 when more than [`MAX_SCANNED`] rows would have to be looked at; 503 when `scans`, which has
/// [`LARGE_SCANS`] permits, has none left for a large one; what the source says.
pub(crate) async fn read(
    source: &Arc<dyn Source>,
    shape: &Shape,
    query: Query,
    scans: &Semaphore,
) -> Result<List, Problem> {
    let count = source.count().await?;
    let _scan = admitted(count, scans)?;
    if query.is_plain() {
        return plain(source, shape, &query, count).await;
    }
    let (query, key) = (Arc::new(query), shape.key.name);
    let mut items = matching(source, key, &query, count).await?;
    let paged = is_paged(shape, &query);
    let sorted = tokio::task::spawn_blocking(move || {
        query.sort_items(&mut items, key);
        let total = items.len();
        if paged {
            let offset = usize::try_from(query.page.saturating_mul(query.size)).unwrap_or(usize::MAX);
            items.drain(..offset.min(total));
            items.truncate(usize::try_from(query.size).unwrap_or(usize::MAX));
        }
        List { items, total: total as u64 }
    });
    Ok(sorted.await.expect("comparing values does not panic, and the runtime outlives its requests"))
}

/// Every row that `query` lets pass, by key.
///
/// # Errors
/// As [`read`].
pub(crate) async fn all(
    source: &Arc<dyn Source>,
    shape: &Shape,
    query: Query,
    scans: &Semaphore,
) -> Result<Vec<Item>, Problem> {
    let count = source.count().await?;
    let _scan = admitted(count, scans)?;
    matching(source, shape.key.name, &Arc::new(query), count).await
}

async fn matching(
    source: &Arc<dyn Source>,
    key: &'static str,
    query: &Arc<Query>,
    count: u64,
) -> Result<Vec<Item>, Problem> {
    if count > MAX_SCANNED {
        return Err(too_many(count));
    }
    let filter = query.clone();
    let keep = Keep::Matching(Arc::new(move |item| filter.matches(item, key)));
    Ok(rows(source, &keep, None, usize::MAX).await?.0)
}

/// Rows by key, as they come.
async fn plain(source: &Arc<dyn Source>, shape: &Shape, query: &Query, count: u64) -> Result<List, Problem> {
    let paged = is_paged(shape, query);
    let offset = if paged { query.page.saturating_mul(query.size) } else { 0 };
    if offset >= count {
        return Ok(List { items: Vec::new(), total: count });
    }
    let wanted = if paged { query.size } else { count };
    if offset.saturating_add(wanted) > MAX_SCANNED {
        return Err(too_many(count));
    }
    let (skipped, wanted) =
        (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(wanted).unwrap_or(usize::MAX));
    let after = if skipped > 0 { rows(source, &Keep::Nothing, None, skipped).await?.1 } else { None };
    if skipped > 0 && after.is_none() {
        return Ok(List { items: Vec::new(), total: count }); // rows went while we counted
    }
    let items = rows(source, &Keep::All, after, if paged { wanted } else { usize::MAX }).await?.0;
    Ok(List { items, total: count })
}

/// At most `limit` rows after `after`, in chunks; what `keep` keeps of them, and the last row's key when
/// all `limit` were there.
async fn rows(
    source: &Arc<dyn Source>,
    keep: &Keep,
    mut after: Option<Vec<u8>>,
    limit: usize,
) -> Result<(Vec<Item>, Option<Vec<u8>>), Problem> {
    let (mut items, mut seen) = (Vec::new(), 0_usize);
    while seen < limit {
        let chunk = CHUNK.min(limit - seen);
        let mut page = source.scan(after, chunk, keep.clone()).await?;
        seen += page.seen;
        items.append(&mut page.items);
        if page.seen < chunk {
            return Ok((items, None));
        }
        if seen as u64 > MAX_SCANNED {
            return Err(too_many(seen as u64));
        }
        after = page.last;
    }
    Ok((items, after))
}

fn admitted(count: u64, scans: &Semaphore) -> Result<Option<SemaphorePermit<'_>>, Problem> {
    if count <= CHUNK as u64 {
        return Ok(None);
    }
    scans.try_acquire().map(Some).map_err(|_| {
        let message = format!("{LARGE_SCANS} large lists are being read already");
        Problem::unavailable("OVERLOADED", message, std::time::Duration::from_secs(1))
    })
}

fn too_many(count: u64) -> Problem {
    let message = format!(
        "this would look at more than {MAX_SCANNED} of {count} rows; ask for an earlier page, without filter and sort"
    );
    Problem::invalid("TOO_MANY_ROWS", message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{hal::tests::orders, resource::tests::Fake};

    async fn read_keys(rows: u64, shape: &Shape, query: &str) -> Result<(Vec<u64>, u64), u16> {
        let source: Arc<dyn Source> = Arc::new(Fake::with(rows));
        let query = Query::of(query, shape, &[]).unwrap();
        let list = read(&source, shape, query, &Semaphore::new(1)).await.map_err(|why| why.status().as_u16())?;
        Ok((list.items.iter().map(|item| item.key.as_u64().unwrap()).collect(), list.total))
    }

    #[tokio::test]
    async fn pages_are_cut_from_the_rows_by_key() {
        let orders = orders();
        assert_eq!(read_keys(5, &orders, "size=2&page=1").await, Ok((vec![3, 4], 5)));
        assert_eq!(read_keys(5, &orders, "size=2&page=2").await, Ok((vec![5], 5)));
        assert_eq!(read_keys(5, &orders, "size=2&page=3").await, Ok((vec![], 5)));
        assert_eq!(read_keys(2500, &orders, "size=2&page=1100").await, Ok((vec![2201, 2202], 2500)));
        assert_eq!(read_keys(0, &orders, "").await, Ok((vec![], 0)));
    }

    #[tokio::test]
    async fn a_view_gives_all_rows() {
        let view = Shape { paged: false, ..orders() };
        assert_eq!(read_keys(2500, &view, "").await.unwrap().0.len(), 2500);
        assert_eq!(read_keys(2500, &view, "size=3").await, Ok((vec![1, 2, 3], 2500)));
    }

    #[tokio::test]
    async fn filters_and_orders_look_at_all_rows() {
        assert_eq!(read_keys(2500, &orders(), "sort=id,desc&size=2").await, Ok((vec![2500, 2499], 2500)));
        assert_eq!(read_keys(2500, &orders(), "id=2000").await, Ok((vec![2000], 1)));
        assert_eq!(read_keys(2500, &orders(), "productId=1&size=1&page=3").await, Ok((vec![4], 2500)));
    }

    #[tokio::test]
    async fn more_rows_than_the_bound_are_refused_not_cut() {
        let (view, most) = (Shape { paged: false, ..orders() }, MAX_SCANNED);
        assert_eq!(read_keys(most + 1, &orders(), "id=1").await, Err(400));
        assert_eq!(read_keys(most + 1, &view, "").await, Err(400));
        assert_eq!(read_keys(most + 1, &orders(), "size=1000&page=100").await, Err(400));
        assert_eq!(read_keys(most + 1, &orders(), "size=1000&page=101").await, Ok((vec![], most + 1)));
        assert_eq!(read_keys(most, &orders(), "size=1000&page=99").await.unwrap().0.last(), Some(&most));
    }

    #[tokio::test]
    async fn a_large_list_beyond_the_permits_is_refused_and_a_small_one_is_not() {
        let (orders, none_left) = (orders(), Semaphore::new(0));
        let read = async |rows| {
            let source: Arc<dyn Source> = Arc::new(Fake::with(rows));
            let query = Query::of("size=1", &orders, &[]).unwrap();
            read(&source, &orders, query, &none_left)
                .await
                .map(|list| list.items.len())
                .map_err(|why| why.status().as_u16())
        };
        assert_eq!(read(1000).await, Ok(1));
        assert_eq!(read(1001).await, Err(503));
    }
}
