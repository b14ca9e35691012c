// SPDX-License-Identifier: Apache-2.0
// The byte reader never reads past its end, whatever the bytes say.
#include "base/bytes.h"

#include <cmath>

#include "base/random.h"
#include "tests/base/base_support.h"

namespace sinter {
namespace {

using test::expect_error;

TEST(Bytes, reads_back_what_was_written) {
  ByteWriter w;
  w.u8_(7);
  w.align(8);
  EXPECT_EQ(w.size(), 8);
  w.u32_(0xDEADBEEF);
  w.u64_(~u64(0));
  w.i64_(-5);
  w.f64_(-0.0);
  w.text("caf\xC3\xA9");
  w.u64_(2);
  w.bytes(std::as_bytes(std::span("ab", 2)));
  ByteReader r(w.view(), "object");
  EXPECT_EQ(r.u8_(), 7);
  r.align(8);
  EXPECT_EQ(r.u32_(), 0xDEADBEEF);
  EXPECT_EQ(r.u64_(), ~u64(0));
  EXPECT_EQ(r.i64_(), -5);
  EXPECT_TRUE(std::signbit(r.f64_()));
  EXPECT_EQ(r.text(), "caf\xC3\xA9");
  EXPECT_EQ(r.count(1), 2);
  EXPECT_EQ(r.bytes(2)[1], std::byte('b'));
  EXPECT_EQ(r.remaining(), 0);
  r.expect_end();
}

TEST(Bytes, numbers_are_little_endian) {
  ByteWriter w;
  w.u32_(0x01020304);
  EXPECT_EQ(w.view()[0], std::byte(4));
  EXPECT_EQ(w.view()[3], std::byte(1));
}

TEST(Bytes, every_truncation_is_an_error_that_names_the_object) {
  ByteWriter w;
  w.u8_(1);
  w.u32_(2);
  w.u64_(3);
  w.text("four");
  for (i64 length = 0; length < w.size(); ++length)
    expect_error(ErrorKind::bad_input, "key file: truncated", [&] {
      ByteReader r(w.view().first(size_t(length)), "key file");
      r.u8_();
      r.u32_();
      r.u64_();
      r.text();
    });
}

TEST(Bytes, counts_and_texts_are_checked_before_they_are_believed) {
  ByteWriter w;
  w.u64_(~u64(0));
  w.u64_(100);
  const auto reader = [&] { return ByteReader(w.view(), "f"); };
  expect_error(ErrorKind::bad_input, "count", [&] { reader().count(1); });
  expect_error(ErrorKind::bad_input, "count", [&] { reader().count(0); });
  expect_error(ErrorKind::bad_input, "text of", [&] { reader().text(10); });
  expect_error(ErrorKind::bad_input, "needs -1", [&] { reader().bytes(-1); });
  ByteReader r = reader();
  r.u64_();
  expect_error(ErrorKind::bad_input, "count 100", [&] { r.count(8); });
  ByteReader rest = reader();
  expect_error(ErrorKind::bad_input, "16 bytes after the end", [&] { rest.expect_end(); });
  ByteWriter padded;
  padded.u8_(0);
  padded.u8_(1);
  padded.align(8);
  ByteReader p(padded.view(), "f");
  p.u8_();
  expect_error(ErrorKind::bad_input, "padding", [&] { p.align(8); });
}

TEST(Bytes, checked_multiply_refuses_what_leaves_62_bits) {
  EXPECT_EQ(checked_multiply(0, i64(1) << 62, "x"), 0);
  EXPECT_EQ(checked_multiply(i64(1) << 31, i64(1) << 30, "x"), i64(1) << 61);
  expect_error(ErrorKind::bad_input, "weights",
               [] { checked_multiply(i64(1) << 31, i64(1) << 31, "weights"); });
  expect_error(ErrorKind::bad_input, "weights",
               [] { checked_multiply(i64(1) << 62, 4, "weights"); });
  expect_error(ErrorKind::bad_input, "weights", [] { checked_multiply(-1, 4, "weights"); });
}

TEST(Random, repeats_for_a_seed_and_stays_in_range) {
  Rng x(5), y(5), z(6);
  EXPECT_EQ(x.bits(), y.bits());
  EXPECT_NE(x.bits(), z.bits());
  double sum = 0, squares = 0;
  const int count = 100000;
  for (int i = 0; i < count; ++i) {
    const double u = x.uniform();
    ASSERT_TRUE(u >= 0 && u < 1);
    const i64 below = x.below(7);
    ASSERT_TRUE(below >= 0 && below < 7);
    const double n = x.normal();
    sum += n;
    squares += n * n;
  }
  EXPECT_NEAR(sum / count, 0, 0.02);  // six standard errors
  EXPECT_NEAR(squares / count, 1, 0.03);
}

}  // namespace
}  // namespace sinter
