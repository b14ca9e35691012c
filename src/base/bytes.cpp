// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <bit>
#include <cstring>

#include "base/error.h"

namespace sinter {

static_assert(std::endian::native == std::endian::little, "the formats are little-endian");

namespace {

template <class T>
void append(std::vector<std::byte>& buffer, T v) {
  const auto* raw = reinterpret_cast<const std::byte*>(&v);
  buffer.insert(buffer.end(), raw, raw + sizeof v);
}

template <class T>
T load(const std::byte* from) {
  T v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

}  // namespace

i64 checked_multiply(i64 a, i64 b, std::string_view what) {
  i64 product = 0;
  require(a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, &product) && product < (i64(1) << 62),
          ErrorKind::bad_input, what, ": size ", a, " x ", b, " is out of range");
  return product;
}

void ByteWriter::u8_(u8 v) { buffer_.push_back(std::byte(v)); }
void ByteWriter::u32_(u32 v) { append(buffer_, v); }
void ByteWriter::u64_(u64 v) { append(buffer_, v); }
void ByteWriter::f64_(double v) { append(buffer_, v); }

void ByteWriter::bytes(std::span<const std::byte> data) {
  buffer_.insert(buffer_.end(), data.begin(), data.end());
}

void ByteWriter::text(std::string_view s) {
  u32_(u32(s.size()));
  bytes(std::as_bytes(std::span(s.data(), s.size())));
}

void ByteWriter::align(i64 alignment) {
  while (size() % alignment != 0) u8_(0);
}

ByteReader::ByteReader(std::span<const std::byte> data, std::string what)
    : data_(data), what_(std::move(what)) {}

void ByteReader::need(i64 count) const {
  require(count >= 0 && count <= remaining(), ErrorKind::bad_input, what_, ": truncated: needs ",
          count, " bytes at offset ", position_, ", ", remaining(), " are left");
}

u8 ByteReader::u8_() {
  need(1);
  return u8(data_[size_t(position_++)]);
}

u32 ByteReader::u32_() {
  need(4);
  const u32 v = load<u32>(data_.data() + position_);
  position_ += 4;
  return v;
}

u64 ByteReader::u64_() {
  need(8);
  const u64 v = load<u64>(data_.data() + position_);
  position_ += 8;
  return v;
}

double ByteReader::f64_() { return std::bit_cast<double>(u64_()); }

std::span<const std::byte> ByteReader::bytes(i64 count) {
  need(count);
  const auto view = data_.subspan(size_t(position_), size_t(count));
  position_ += count;
  return view;
}

std::string ByteReader::text(i64 max_length) {
  const i64 length = u32_();
  require(length <= max_length, ErrorKind::bad_input, what_, ": text of ", length,
          " bytes, at most ", max_length, " expected");
  const auto raw = bytes(length);
  return {reinterpret_cast<const char*>(raw.data()), raw.size()};
}

void ByteReader::align(i64 alignment) {
  while (position_ % alignment != 0)
    require(u8_() == 0, ErrorKind::bad_input, what_, ": padding before offset ", position_,
            " is not zero");
}

i64 ByteReader::count(i64 item_bytes, i64 max) {
  const u64 n = u64_();
  require(n <= u64(max) && (item_bytes == 0 || n <= u64(remaining() / item_bytes)),
          ErrorKind::bad_input, what_, ": count ", n, " of ", item_bytes, "-byte items, at most ",
          max, " allowed and ", remaining(), " bytes are left");
  return i64(n);
}

void ByteReader::expect_end() const {
  require(remaining() == 0, ErrorKind::bad_input, what_, ": ", remaining(),
          " bytes after the end of the object");
}

}  // namespace sinter
