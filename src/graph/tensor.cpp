// SPDX-License-Identifier: Apache-2.0
#include "graph/tensor.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "base/bytes.h"

namespace sinter {

i64 element_count(std::span<const i64> dims) {
  i64 count = 1;
  for (i64 d : dims) count = checked_multiply(count, d, "tensor shape");
  return count;
}

std::string to_text(std::span<const i64> dims) {
  std::string text = "[";
  for (i64 d : dims) text += (text.size() > 1 ? "," : "") + std::to_string(d);
  return text + "]";
}

void Tensor::Free::operator()(std::byte* p) const { std::free(p); }

Tensor::Tensor(DType type, Dims dims) : dtype_(type), dims_(std::move(dims)) {
  size_ = element_count(dims_);
  SINTER_ASSERT(!is_container(type) && type != DType::unknown);
  if (type == DType::string) {
    strings_.resize(size_t(size_));
    return;
  }
  const i64 bytes = checked_multiply(size_, element_size(type), "tensor");
  const i64 rounded = std::max<i64>((bytes + 63) / 64 * 64, 64);
  owned_.reset(static_cast<std::byte*>(std::aligned_alloc(64, size_t(rounded))));
  if (!owned_) throw std::bad_alloc();
  std::memset(owned_.get(), 0, size_t(rounded));
  data_ = owned_.get();
}

Tensor Tensor::view(DType type, Dims dims, std::span<const std::byte> bytes,
                    std::shared_ptr<const void> owner) {
  const i64 count = element_count(dims), width = element_size(type);
  const i64 expected = checked_multiply(count, width, "tensor");
  require(width > 0 && expected == std::ssize(bytes), ErrorKind::bad_input, "tensor of ",
          name(type), to_text(dims), ": ", expected, " bytes expected, found ", bytes.size());
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % u64(width) != 0) {
    Tensor copy(type, std::move(dims));
    std::memcpy(copy.mutable_raw().data(), bytes.data(), bytes.size());
    return copy;
  }
  Tensor t;
  t.dtype_ = type;
  t.dims_ = std::move(dims);
  t.size_ = count;
  t.data_ = bytes.data();
  t.owner_ = std::move(owner);
  return t;
}

namespace {

std::vector<Tensor> clones(const std::vector<Tensor>& items) {
  std::vector<Tensor> copies;
  for (const Tensor& item : items) copies.push_back(item.clone());
  return copies;
}

}  // namespace

Tensor Tensor::sequence(std::vector<Tensor> items) {
  Tensor t;
  t.dtype_ = DType::sequence;
  t.size_ = std::ssize(items);
  t.dims_ = {t.size_};
  t.items_ = std::move(items);
  return t;
}

Tensor Tensor::optional(std::vector<Tensor> items) {
  SINTER_ASSERT(items.size() <= 1);
  Tensor t = sequence(std::move(items));
  t.dtype_ = DType::optional;
  return t;
}

Tensor Tensor::clone() const {
  if (dtype_ == DType::sequence) return sequence(clones(items_));
  if (dtype_ == DType::optional) return optional(clones(items_));
  Tensor copy(dtype_, dims_);
  if (dtype_ == DType::string)
    copy.strings_ = strings_;
  else if (size_ > 0)
    std::memcpy(copy.mutable_raw().data(), data_, size_t(byte_size()));
  return copy;
}

Tensor Tensor::reshaped(Dims dims) && {
  SINTER_ASSERT(element_count(dims) == size_);
  Tensor t = std::move(*this);
  t.dims_ = std::move(dims);
  return t;
}

namespace {

double widen(Half v) { return to_float(v); }
double widen(BFloat v) { return to_float(v); }
template <class T>
double widen(T v) {
  return double(v);
}

template <class To, class From>
To convert_element(From v) {
  if constexpr (std::is_same_v<To, From>)
    return v;
  else if constexpr (std::is_same_v<From, Half> || std::is_same_v<From, BFloat>)
    return convert_element<To>(to_float(v));
  else if constexpr (std::is_same_v<To, Half>)
    return to_half(float(v));
  else if constexpr (std::is_same_v<To, BFloat>)
    return to_bfloat(float(v));
  else if constexpr (std::is_same_v<To, bool>)
    return v != From{};
  else if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>)
    // Out of range is undefined in C++; go through i64, which wraps like the field's runtimes do.
    return v >= 0x1p63 ? To(u64(v < 0x1p64 ? v : 0)) : v > -0x1p63 ? To(i64(v)) : To(0);
  else
    return To(v);
}

}  // namespace

double Tensor::as_double(i64 i) const {
  SINTER_ASSERT(i >= 0 && i < size_);
  return for_type(dtype_, "as_double",
                  [&](auto t) -> double { return widen(data<decltype(t)>()[size_t(i)]); });
}

i64 Tensor::as_int(i64 i) const {
  SINTER_ASSERT(i >= 0 && i < size_);
  return for_type(dtype_, "as_int", [&](auto t) -> i64 {
    return convert_element<i64>(data<decltype(t)>()[size_t(i)]);
  });
}

std::vector<i64> Tensor::as_ints() const {
  std::vector<i64> values(static_cast<size_t>(size_));
  for (i64 i = 0; i < size_; ++i) values[size_t(i)] = as_int(i);
  return values;
}

Tensor convert(const Tensor& from, DType to) {
  if (from.dtype() == to) return from.clone();
  Tensor out(to, from.dims());
  for_type(from.dtype(), "convert", [&](auto a) {
    for_type(to, "convert", [&](auto b) {
      using From = decltype(a);
      using To = decltype(b);
      const auto x = from.data<From>();
      const auto y = out.mutable_data<To>();
      for (size_t i = 0; i < x.size(); ++i) y[i] = convert_element<To>(x[i]);
    });
  });
  return out;
}

}  // namespace sinter
