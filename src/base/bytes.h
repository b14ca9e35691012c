// SPDX-License-Identifier: Apache-2.0
// Little-endian bytes in and out. The reader is the door for every format of our own (programs,
// keys, ciphertexts): it never reads past its span and checks each count against the bytes that
// remain before anything is allocated.
#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace sinter {

/// a * b for sizes that come from outside. Both must be >= 0.
/// throws  Error(bad_input) naming `what` when the product does not fit in 62 bits
i64 checked_multiply(i64 a, i64 b, std::string_view what);

/// Appends to a growing buffer. thread: owned by one.
class ByteWriter {
 public:
  void u8_(u8 v);
  void u32_(u32 v);
  void u64_(u64 v);
  void i64_(i64 v) { u64_(u64(v)); }
  void f64_(double v);
  void bytes(std::span<const std::byte> data);
  /// u32 length, then the characters.
  void text(std::string_view s);
  /// Zero bytes up to the next multiple of `alignment`.
  void align(i64 alignment);

  i64 size() const { return std::ssize(buffer_); }
  std::span<const std::byte> view() const { return buffer_; }
  std::vector<std::byte> take() { return std::move(buffer_); }

 private:
  std::vector<std::byte> buffer_;
};

/// Reads from a borrowed span. Every short read is Error(bad_input) naming `what` (the file or the
/// object), the bytes wanted and the bytes left. thread: owned by one.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> data, std::string what);

  u8 u8_();
  u32 u32_();
  u64 u64_();
  i64 i64_() { return i64(u64_()); }
  double f64_();
  /// A view into the span, no copy.
  std::span<const std::byte> bytes(i64 count);
  std::string text(i64 max_length = 1 << 20);
  void align(i64 alignment);

  /// Reads a u64 count and checks count * item_bytes <= remaining() and count <= max.
  i64 count(i64 item_bytes, i64 max = i64(1) << 40);

  i64 position() const { return position_; }
  i64 remaining() const { return std::ssize(data_) - position_; }
  /// throws  Error(bad_input) when bytes are left over
  void expect_end() const;
  const std::string& what() const { return what_; }

 private:
  void need(i64 count) const;
  std::span<const std::byte> data_;
  std::string what_;
  i64 position_ = 0;
};

}  // namespace sinter
