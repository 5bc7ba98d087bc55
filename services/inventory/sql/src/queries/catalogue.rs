// This file was generated with `clorinde`. Do not modify.

#[derive(Debug)]
pub struct ListProductsParams<T1: crate::StringSql> {
    pub after_sku: T1,
    pub rows_max: i64,
}
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    pub sku: String,
    pub name: String,
    pub unit_price_cents: i64,
    pub currency: String,
    pub available: i64,
}
pub struct ProductBorrowed<'a> {
    pub sku: &'a str,
    pub name: &'a str,
    pub unit_price_cents: i64,
    pub currency: &'a str,
    pub available: i64,
}
impl<'a> From<ProductBorrowed<'a>> for Product {
    fn from(
        ProductBorrowed {
            sku,
            name,
            unit_price_cents,
            currency,
            available,
        }: ProductBorrowed<'a>,
    ) -> Self {
        Self {
            sku: sku.into(),
            name: name.into(),
            unit_price_cents,
            currency: currency.into(),
            available,
        }
    }
}
use crate::client::async_::GenericClient;
use futures::{self, StreamExt, TryStreamExt};
pub struct ProductQuery<'c, 'a, 's, C: GenericClient, T, const N: usize> {
    client: &'c C,
    params: [&'a (dyn postgres_types::ToSql + Sync); N],
    query: &'static str,
    cached: Option<&'s tokio_postgres::Statement>,
    extractor: fn(&tokio_postgres::Row) -> Result<ProductBorrowed, tokio_postgres::Error>,
    mapper: fn(ProductBorrowed) -> T,
}
impl<'c, 'a, 's, C, T: 'c, const N: usize> ProductQuery<'c, 'a, 's, C, T, N>
where
    C: GenericClient,
{
    pub fn map<R>(self, mapper: fn(ProductBorrowed) -> R) -> ProductQuery<'c, 'a, 's, C, R, N> {
        ProductQuery {
            client: self.client,
            params: self.params,
            query: self.query,
            cached: self.cached,
            extractor: self.extractor,
            mapper,
        }
    }
    pub async fn one(self) -> Result<T, tokio_postgres::Error> {
        let row =
            crate::client::async_::one(self.client, self.query, &self.params, self.cached).await?;
        Ok((self.mapper)((self.extractor)(&row)?))
    }
    pub async fn all(self) -> Result<Vec<T>, tokio_postgres::Error> {
        self.iter().await?.try_collect().await
    }
    pub async fn opt(self) -> Result<Option<T>, tokio_postgres::Error> {
        let opt_row =
            crate::client::async_::opt(self.client, self.query, &self.params, self.cached).await?;
        Ok(opt_row
            .map(|row| {
                let extracted = (self.extractor)(&row)?;
                Ok((self.mapper)(extracted))
            })
            .transpose()?)
    }
    pub async fn iter(
        self,
    ) -> Result<
        impl futures::Stream<Item = Result<T, tokio_postgres::Error>> + 'c,
        tokio_postgres::Error,
    > {
        let stream = crate::client::async_::raw(
            self.client,
            self.query,
            crate::slice_iter(&self.params),
            self.cached,
        )
        .await?;
        let mapped = stream
            .map(move |res| {
                res.and_then(|row| {
                    let extracted = (self.extractor)(&row)?;
                    Ok((self.mapper)(extracted))
                })
            })
            .into_stream();
        Ok(mapped)
    }
}
pub struct ListProductsStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn list_products() -> ListProductsStmt {
    ListProductsStmt(
        "SELECT p.sku, p.name, p.unit_price_cents, p.currency, s.on_hand - s.reserved AS available FROM products p JOIN stock s USING (sku) WHERE p.sku > $1 COLLATE \"C\" ORDER BY p.sku LIMIT $2",
        None,
    )
}
impl ListProductsStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::StringSql>(
        &'s self,
        client: &'c C,
        after_sku: &'a T1,
        rows_max: &'a i64,
    ) -> ProductQuery<'c, 'a, 's, C, Product, 2> {
        ProductQuery {
            client,
            params: [after_sku, rows_max],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<ProductBorrowed, tokio_postgres::Error> {
                    Ok(ProductBorrowed {
                        sku: row.try_get(0)?,
                        name: row.try_get(1)?,
                        unit_price_cents: row.try_get(2)?,
                        currency: row.try_get(3)?,
                        available: row.try_get(4)?,
                    })
                },
            mapper: |it| Product::from(it),
        }
    }
}
impl<'c, 'a, 's, C: GenericClient, T1: crate::StringSql>
    crate::client::async_::Params<
        'c,
        'a,
        's,
        ListProductsParams<T1>,
        ProductQuery<'c, 'a, 's, C, Product, 2>,
        C,
    > for ListProductsStmt
{
    fn params(
        &'s self,
        client: &'c C,
        params: &'a ListProductsParams<T1>,
    ) -> ProductQuery<'c, 'a, 's, C, Product, 2> {
        self.bind(client, &params.after_sku, &params.rows_max)
    }
}
pub struct GetProductStmt(&'static str, Option<tokio_postgres::Statement>);
pub fn get_product() -> GetProductStmt {
    GetProductStmt(
        "SELECT p.sku, p.name, p.unit_price_cents, p.currency, s.on_hand - s.reserved AS available FROM products p JOIN stock s USING (sku) WHERE p.sku = $1",
        None,
    )
}
impl GetProductStmt {
    pub async fn prepare<'a, C: GenericClient>(
        mut self,
        client: &'a C,
    ) -> Result<Self, tokio_postgres::Error> {
        self.1 = Some(client.prepare(self.0).await?);
        Ok(self)
    }
    pub fn bind<'c, 'a, 's, C: GenericClient, T1: crate::StringSql>(
        &'s self,
        client: &'c C,
        sku: &'a T1,
    ) -> ProductQuery<'c, 'a, 's, C, Product, 1> {
        ProductQuery {
            client,
            params: [sku],
            query: self.0,
            cached: self.1.as_ref(),
            extractor:
                |row: &tokio_postgres::Row| -> Result<ProductBorrowed, tokio_postgres::Error> {
                    Ok(ProductBorrowed {
                        sku: row.try_get(0)?,
                        name: row.try_get(1)?,
                        unit_price_cents: row.try_get(2)?,
                        currency: row.try_get(3)?,
                        available: row.try_get(4)?,
                    })
                },
            mapper: |it| Product::from(it),
        }
    }
}
