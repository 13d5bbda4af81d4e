//! The one file of this crate with `unsafe`: arrays from one Arrow implementation to the other.
//!
//! The C data interface is two structs, an array and its type, each with a function that releases it.
//! Both implementations define them after the same page of the Arrow specification, `#[repr(C)]`, as
//! types of their own, and *moving* one is copying its fields and clearing the release function of the
//! place it was at. That is all that happens here. From then on the receiver's buffers keep the struct
//! alive, and the last one to be dropped calls the release function, which drops the sender's array.

#![allow(unsafe_code, reason = "buffers cross as pointers; each block says why it may")]

use std::ffi::c_void;
use std::mem::{align_of, size_of};

use arrow::array::{Array, ArrayRef, make_array};
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi_and_data_type};
use polars::prelude::PolarsResult;
use polars_arrow::array::Array as PolarsArray;
use polars_arrow::datatypes::Field as PolarsField;
use polars_arrow::ffi::{self as polars_ffi, ArrowArray, ArrowSchema};

// Two definitions of one C struct. Not a proof, but a field more or less does not compile.
const _: () = assert!(
    size_of::<FFI_ArrowArray>() == size_of::<ArrowArray>()
        && align_of::<FFI_ArrowArray>() == align_of::<ArrowArray>()
        && size_of::<FFI_ArrowArray>() == size_of::<Fields>()
        && align_of::<FFI_ArrowArray>() == align_of::<Fields>()
        && size_of::<FFI_ArrowSchema>() == size_of::<ArrowSchema>()
        && align_of::<FFI_ArrowSchema>() == align_of::<ArrowSchema>()
);

/// A field of Polars. No name in it may contain a NUL: C's strings end there, and Polars panics.
pub(crate) fn field_to_arrow(field: &PolarsField) -> Result<Field, ArrowError> {
    let mut sent = polars_ffi::export_field_to_c(field);
    // SAFETY: `sent` is an initialised ArrowSchema of the C data interface, which FFI_ArrowSchema is
    // another definition of (see above). `from_raw` moves it out and leaves an empty one behind, whose
    // drop releases nothing, so it is released once, by `received`.
    let received = unsafe { FFI_ArrowSchema::from_raw((&raw mut sent).cast()) };
    Field::try_from(&received)
}

/// A field for Polars. No name in it may contain a NUL: an error says so.
pub(crate) fn field_to_polars(field: &Field) -> Result<PolarsResult<PolarsField>, ArrowError> {
    let sent = FFI_ArrowSchema::try_from(field)?;
    let sent: *const FFI_ArrowSchema = &raw const sent;
    // SAFETY: the struct is valid, of the same layout (see above), and lives until the end of this
    // function. It is only borrowed here: Polars copies what it says, and `sent` is released by its own
    // type when it is dropped.
    Ok(unsafe { polars_ffi::import_field_from_c(&*sent.cast::<ArrowSchema>()) })
}

/// An array of Polars whose type is `data_type`, as [`field_to_arrow`] told it.
pub(crate) fn array_to_arrow(
    array: Box<dyn PolarsArray>,
    data_type: &DataType,
) -> Result<ArrayRef, ArrowError> {
    let mut sent = polars_ffi::export_array_to_c(array);
    // SAFETY: as in `field_to_arrow`: one C struct, moved out of `sent`, which is empty afterwards.
    let mut received = unsafe { FFI_ArrowArray::from_raw((&raw mut sent).cast()) };
    // SAFETY: `received` is initialised and ours alone, and its type is `data_type` (see below).
    unsafe { mend((&raw mut received).cast(), data_type) };
    // SAFETY: Polars exported the array by the specification, and its type, exported by the same crate,
    // is the one given: callers derive both from one Polars data type. The buffers are immutable, and
    // stay until `received`, which the new array owns, is released.
    let data = unsafe { from_ffi_and_data_type(received, data_type.clone()) }?;
    Ok(make_array(data))
}

/// The array of the C data interface, field by field as the specification has it.
#[repr(C)]
struct Fields {
    length: i64,
    null_count: i64,
    offset: i64,
    n_buffers: i64,
    n_children: i64,
    buffers: *mut *const c_void,
    children: *mut *mut Fields,
    dictionary: *mut Fields,
    release: Option<unsafe extern "C" fn(*mut Fields)>,
    private_data: *mut c_void,
}

/// Makes arrays of the type Null what the specification says: Polars gives them a buffer, a null
/// pointer, where there must be none, and the Arrow of this library refuses them.
///
/// # Safety
/// `array` points to an initialised array of the C data interface of this type that nobody else uses.
unsafe fn mend(array: *mut Fields, data_type: &DataType) {
    let child = |number: usize, data_type: &DataType| {
        // SAFETY: the pointer is good by this function's contract, and an array of a type with children
        // has a pointer to as many as the type has, each an array of its own.
        unsafe { mend(*(*array).children.add(number), data_type) }
    };
    match data_type {
        // SAFETY: the pointer is good by this function's contract. The sender, when it releases the
        // array, goes by its private data and not by this number.
        DataType::Null => unsafe { (*array).n_buffers = 0 },
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            child(0, item.data_type());
        }
        DataType::Struct(fields) => {
            for (number, field) in fields.iter().enumerate() {
                child(number, field.data_type());
            }
        }
        _ => {}
    }
}

/// An array for Polars; `field` is what [`field_to_polars`] made of its type.
pub(crate) fn array_to_polars(
    array: &dyn Array,
    field: &PolarsField,
) -> PolarsResult<Box<dyn PolarsArray>> {
    let sent = FFI_ArrowArray::new(&array.to_data());
    let mut received = ArrowArray::empty();
    // SAFETY: the layouts are the same (see above), and `sent` is moved into the place of an empty
    // struct that has nothing to release.
    unsafe { (&raw mut received).cast::<FFI_ArrowArray>().write(sent) };
    // SAFETY: an array of safe Rust obeys the specification (lengths, offsets, UTF-8), its type is the
    // one given, its buffers are immutable, and the Polars array owns the struct that keeps them.
    unsafe { polars_ffi::import_array_from_c(received, field.dtype.clone()) }
}
