// SPDX-License-Identifier: Apache-2.0
// A dense row-major array with a run-time element type. A Tensor owns its elements (64-byte
// aligned) or views read-only bytes that something else keeps alive, a mapped model file mostly;
// both look the same to a reader, and a view is never written.
//
// ONNX's sequences and optionals are Tensors of a container type: they hold tensors, not elements.
#pragma once
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "graph/dtype.h"

namespace sinter {

using Dims = std::vector<i64>;

/// Number of elements; 1 for rank 0.
/// throws  Error(bad_input) when a dimension is negative or the product does not fit
i64 element_count(std::span<const i64> dims);

/// "[1,3,8,8]".
std::string to_text(std::span<const i64> dims);

/// thread: const access from any number of threads.
class Tensor {
 public:
  Tensor() = default;
  /// Zeros (empty strings for DType::string).
  Tensor(DType type, Dims dims);
  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(Tensor&&) noexcept = default;

  /// Read-only elements inside `bytes`, which `owner` keeps alive. Copies when `bytes` is not
  /// aligned for the element type.
  /// throws  Error(bad_input) when bytes.size() is not element_count * element_size
  static Tensor view(DType type, Dims dims, std::span<const std::byte> bytes,
                     std::shared_ptr<const void> owner);

  template <class T>
  static Tensor of(Dims dims, std::span<const T> values) {
    Tensor t(dtype_of<T>(), std::move(dims));
    require(std::ssize(values) == t.size(), ErrorKind::bad_argument, "Tensor::of: ", t.size(),
            " values expected, found ", values.size());
    std::copy(values.begin(), values.end(), t.mutable_data<T>().begin());
    return t;
  }
  template <class T>
  static Tensor of(Dims dims, std::initializer_list<T> values) {
    return of<T>(std::move(dims), std::span<const T>(values.begin(), values.size()));
  }
  template <class T>
  static Tensor scalar(T value) {
    return of<T>({}, std::span<const T>(&value, 1));
  }
  /// A container: dims are [number of items]. An optional has none or one item.
  static Tensor sequence(std::vector<Tensor> items);
  static Tensor optional(std::vector<Tensor> items);

  DType dtype() const { return dtype_; }
  const Dims& dims() const { return dims_; }
  i64 dim(i64 axis) const { return dims_[size_t(axis)]; }
  i64 rank() const { return std::ssize(dims_); }
  i64 size() const { return size_; }
  i64 byte_size() const { return size_ * element_size(dtype_); }
  bool is_view() const { return owner_ != nullptr; }

  /// Elements as T; T must be the element type (Error(internal) otherwise).
  template <class T>
  std::span<const T> data() const {
    SINTER_ASSERT(dtype_ == dtype_of<T>());
    return {reinterpret_cast<const T*>(data_), size_t(size_)};
  }
  template <class T>
  std::span<T> mutable_data() {
    SINTER_ASSERT(dtype_ == dtype_of<T>() && !is_view());
    return {reinterpret_cast<T*>(const_cast<std::byte*>(data_)), size_t(size_)};
  }
  std::span<const std::byte> raw() const { return {data_, size_t(byte_size())}; }
  std::span<std::byte> mutable_raw() {
    SINTER_ASSERT(!is_view());
    return {const_cast<std::byte*>(data_), size_t(byte_size())};
  }
  const std::vector<std::string>& strings() const { return strings_; }
  std::vector<std::string>& mutable_strings() { return strings_; }

  const std::vector<Tensor>& items() const { return items_; }
  std::vector<Tensor>& mutable_items() { return items_; }

  Tensor clone() const;
  /// The same elements under other dims of equal count, no copy of a view, a move of owned ones.
  Tensor reshaped(Dims dims) &&;

  /// Element i as a double or an i64, whatever the numeric element type. For constants and tests.
  double as_double(i64 i) const;
  i64 as_int(i64 i) const;
  std::vector<i64> as_ints() const;

 private:
  struct Free {
    void operator()(std::byte* p) const;
  };
  DType dtype_ = DType::none;
  Dims dims_;
  i64 size_ = 0;
  const std::byte* data_ = nullptr;
  std::unique_ptr<std::byte, Free> owned_;
  std::shared_ptr<const void> owner_;
  std::vector<std::string> strings_;
  std::vector<Tensor> items_;
};

using TensorPtr = std::shared_ptr<const Tensor>;

/// Converts element by element with C++ rules (float to integer truncates, to bool is != 0,
/// double to f16/bf16 rounds once through float). Strings refused: Error(unsupported).
Tensor convert(const Tensor& from, DType to);

/// Calls body(T{}) with the C++ type of `type`; Error(unsupported) naming `what` for strings.
template <class Body>
decltype(auto) for_type(DType type, std::string_view what, Body&& body) {
  switch (type) {
    case DType::f32:
      return body(float{});
    case DType::f64:
      return body(double{});
    case DType::u8:
      return body(u8{});
    case DType::i8:
      return body(std::int8_t{});
    case DType::u16:
      return body(u16{});
    case DType::i16:
      return body(std::int16_t{});
    case DType::i32:
      return body(i32{});
    case DType::i64:
      return body(i64{});
    case DType::u32:
      return body(u32{});
    case DType::u64:
      return body(u64{});
    case DType::boolean:
      return body(bool{});
    case DType::f16:
      return body(Half{});
    case DType::bf16:
      return body(BFloat{});
    default:
      fail(ErrorKind::unsupported, what, ": element type ", name(type), " is not supported");
  }
}

}  // namespace sinter
