//! The fields of an item as members of an object: few, in order, and found by looking through them.

use std::borrow::Cow;

use serde::{
    Serialize, Serializer,
    ser::{Error as _, Impossible, SerializeMap, SerializeStruct},
};
use serde_json::{Error, Value};

/// The members of an object (RFC 8259) by name, in the order in which they were set. A resource has so few that no table
/// of hashes pays for itself, and names that are in the program are not copied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Members(Vec<(Cow<'static, str>, Value)>);

impl Members {
    /// The fields that serde makes of a representation; a single value, or nothing, as a removal answers, has none.
    ///
    /// # Errors
    /// When it is a list or a variant with several values, or a field cannot be written as JSON.
    pub fn of(representation: &impl Serialize) -> Result<Self, Error> {
        representation.serialize(Building)
    }

    /// The field with this name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// Sets a field, in the place that it had or at the end.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        let name = name.into();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, held)) => *held = value,
            None => self.0.push((name, value)),
        }
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }
}

/// Takes what is an object to pieces.
struct Building;

/// An object of which some fields are still to come.
struct Open {
    members: Members,
    /// The name whose value comes next.
    name: Option<String>,
}

impl Open {
    fn new(length: usize) -> Self {
        Self { members: Members(Vec::with_capacity(length)), name: None }
    }
}

impl SerializeStruct for Open {
    type Ok = Members;
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Error> {
        self.members.0.push((name.into(), serde_json::to_value(value)?));
        Ok(())
    }

    fn end(self) -> Result<Members, Error> {
        Ok(self.members)
    }
}

impl SerializeMap for Open {
    type Ok = Members;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let Value::String(name) = serde_json::to_value(key)? else {
            return Err(Error::custom("a name of a field is no text"));
        };
        self.name = Some(name);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let name = self.name.take().ok_or_else(|| Error::custom("a value comes without its name"))?;
        self.members.set(name, serde_json::to_value(value)?);
        Ok(())
    }

    fn end(self) -> Result<Members, Error> {
        Ok(self.members)
    }
}

fn no_fields<T>() -> Result<T, Error> {
    Err(Error::custom("it is no object: a list or a variant with several values has no fields"))
}

/// Single values, which have no fields.
macro_rules! without_fields {
    ($($method:ident($($type:ty),*))*) => {
        $(fn $method(self $(, _: $type)*) -> Result<Members, Error> {
            Ok(Members::default())
        })*
    };
}

impl Serializer for Building {
    type Ok = Members;
    type Error = Error;
    type SerializeSeq = Impossible<Members, Error>;
    type SerializeTuple = Impossible<Members, Error>;
    type SerializeTupleStruct = Impossible<Members, Error>;
    type SerializeTupleVariant = Impossible<Members, Error>;
    type SerializeMap = Open;
    type SerializeStruct = Open;
    type SerializeStructVariant = Impossible<Members, Error>;

    without_fields! {
        serialize_bool(bool) serialize_char(char) serialize_str(&str) serialize_bytes(&[u8])
        serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
        serialize_f32(f32) serialize_f64(f64)
        serialize_none() serialize_unit() serialize_unit_struct(&'static str)
        serialize_unit_variant(&'static str, u32, &'static str)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Members, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<Members, Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Members, Error> {
        Ok(Members(vec![(variant.into(), serde_json::to_value(value)?)]))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Error> {
        no_fields()
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Error> {
        no_fields()
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeTupleStruct, Error> {
        no_fields()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Error> {
        no_fields()
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Open, Error> {
        Ok(Open::new(length.unwrap_or_default()))
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Open, Error> {
        Ok(Open::new(length))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Error> {
        no_fields()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Serialize)]
    struct Inner {
        town: &'static str,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Plain {
        product_id: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        price: Option<f64>,
        place: Inner,
    }

    #[derive(Serialize)]
    struct Flat {
        id: u64,
        #[serde(flatten)]
        rest: Plain,
    }

    #[derive(Serialize)]
    struct Wrapped(Plain);

    #[derive(Serialize)]
    enum Either {
        This(u64),
    }

    fn plain(price: Option<f64>) -> Plain {
        Plain { product_id: 7, price, place: Inner { town: "서울" } }
    }

    #[test]
    fn members_are_those_that_json_would_have_in_the_same_order() {
        let same = |representation: &dyn erased::Shown| {
            let (members, json) = representation.both();
            let fields: Vec<_> = members.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
            let expected: Vec<_> = json.as_object().unwrap().clone().into_iter().collect();
            assert_eq!(fields, expected);
        };
        same(&plain(Some(2.0)));
        same(&plain(None));
        same(&Flat { id: 1, rest: plain(Some(0.5)) });
        same(&Some(Wrapped(plain(None))));
        same(&Either::This(3));
        same(&json!({"a": [1, null], "b": {"c": true}}));
    }

    /// One way for all of them.
    mod erased {
        use super::{Members, Serialize, Value};

        pub(super) trait Shown {
            fn both(&self) -> (Members, Value);
        }

        impl<T: Serialize> Shown for T {
            fn both(&self) -> (Members, Value) {
                (Members::of(self).unwrap(), serde_json::to_value(self).unwrap())
            }
        }
    }

    #[test]
    fn a_single_value_has_no_fields() {
        let values = [Members::of(&()), Members::of(&None::<Plain>), Members::of(&1_u64), Members::of(&"x")];
        for value in values {
            assert_eq!(value.unwrap(), Members::default());
        }
    }

    #[test]
    fn what_has_no_names_or_none_that_are_texts_is_refused() {
        let numbered: std::collections::BTreeMap<_, _> = [(1, 2)].into();
        for refused in [Members::of(&[1, 2]), Members::of(&(1, "x")), Members::of(&numbered)] {
            assert!(refused.is_err(), "{refused:?}");
        }
    }

    #[test]
    fn a_field_that_is_set_again_keeps_its_place() {
        let mut members = Members::of(&plain(None)).unwrap();
        members.set("productId", json!(8));
        members.set("name", json!("tea"));
        let names: Vec<_> = members.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["productId", "place", "name"]);
        assert_eq!((members.get("productId"), members.get("other")), (Some(&json!(8)), None));
    }
}
