// SPDX-License-Identifier: Apache-2.0
#include "cli/npy.h"

#include <cctype>
#include <cstring>
#include <optional>

#include "base/bytes.h"
#include "base/file.h"

namespace sinter::cli {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr i64 kMaxHeader = 64 * 1024;
constexpr i64 kMaxRank = 32;

struct TypeRow {
  std::string_view descr;
  DType type;
};
constexpr TypeRow kTypes[] = {{"<f4", DType::f32}, {"<f8", DType::f64},    {"|u1", DType::u8},
                              {"|i1", DType::i8},  {"<u2", DType::u16},    {"<i4", DType::i32},
                              {"<i8", DType::i64}, {"|b1", DType::boolean}};

/// Parses `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }` and nothing wider.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  void parse() {
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      if (key == "descr" && !descr) {
        descr = quoted();
      } else if (key == "fortran_order" && !fortran) {
        fortran = word();
      } else if (key == "shape" && !shape) {
        shape = tuple();
      } else {
        bad("one each of descr, fortran_order and shape", "key '" + key + "'");
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip();
    if (at_ != text_.size()) bad("the end of the header", "more text");
    if (!descr || !fortran || !shape) bad("descr, fortran_order and shape", "fewer keys");
  }

  std::optional<std::string> descr;
  std::optional<bool> fortran;
  std::optional<Dims> shape;

 private:
  [[noreturn]] void bad(std::string_view expected, std::string_view found) const {
    fail(ErrorKind::bad_input, name_, ": .npy header at character ", at_, ": expected ", expected,
         ", found ", found);
  }
  void skip() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }
  bool accept(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c))
      bad(std::string("'") + c + "'", at_ < text_.size() ? text_.substr(at_, 1) : "the end");
  }
  std::string quoted() {
    skip();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    if (quote != '\'' && quote != '"') bad("a quoted word", "something else");
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) bad("a closing quote", "none");
    const std::string result(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return result;
  }
  bool word() {
    skip();
    for (const auto& [text, value] : {std::pair{std::string_view("False"), false}, {"True", true}})
      if (text_.substr(at_).starts_with(text)) {
        at_ += text.size();
        return value;
      }
    bad("True or False", "something else");
  }
  i64 number() {
    skip();
    const size_t start = at_;
    i64 value = 0;
    while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_]))) {
      if (at_ - start >= 15) bad("a dimension below 10^15", "a longer number");
      value = value * 10 + (text_[at_++] - '0');
    }
    if (at_ == start) bad("a dimension", "something else");
    return value;
  }
  Dims tuple() {
    Dims dims;
    expect('(');
    while (!accept(')')) {
      if (std::ssize(dims) == kMaxRank) bad("at most 32 dimensions", "more");
      dims.push_back(number());
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return dims;
  }

  std::string_view text_;
  const std::string& name_;
  size_t at_ = 0;
};

}  // namespace

Tensor read_npy(std::span<const std::byte> data, const std::string& name) {
  ByteReader in(data, name);
  const auto magic = in.remaining() >= 8 ? in.bytes(6) : std::span<const std::byte>();
  require(magic.size() == kMagic.size() && std::memcmp(magic.data(), kMagic.data(), 6) == 0,
          ErrorKind::bad_input, name, ": not a .npy file: expected it to start with \\x93NUMPY");
  const int major = in.u8_(), minor = in.u8_();
  require(major == 1 || major == 2, ErrorKind::unsupported, name, ": .npy version ", major, ".",
          minor, ": versions 1 and 2 are supported");
  i64 length = 0;
  if (major == 1) {
    length = in.u8_();
    length += i64(in.u8_()) << 8;
  } else {
    length = in.u32_();
  }
  require(length <= kMaxHeader, ErrorKind::bad_input, name, ": .npy header of ", length,
          " bytes, at most ", kMaxHeader, " expected");
  const auto raw = in.bytes(length);
  HeaderParser header({reinterpret_cast<const char*>(raw.data()), raw.size()}, name);
  header.parse();
  require(!*header.fortran, ErrorKind::unsupported, name,
          ": elements in Fortran order: save it with numpy.ascontiguousarray");
  DType type = DType::none;
  for (const TypeRow& row : kTypes)
    if (row.descr == *header.descr || (row.descr[0] == '|' && row.descr.substr(1) == *header.descr))
      type = row.type;
  require(type != DType::none, ErrorKind::unsupported, name, ": element type ", *header.descr,
          ": expected one of <f4 <f8 |u1 |i1 <u2 <i4 <i8 |b1");
  i64 count = 1;
  for (i64 d : *header.shape) count = checked_multiply(count, d, name);
  const i64 bytes = checked_multiply(count, element_size(type), name);
  require(bytes == in.remaining(), ErrorKind::bad_input, name, ": shape ", to_text(*header.shape),
          " of ", sinter::name(type), " takes ", bytes, " bytes, found ", in.remaining(),
          bytes > in.remaining() ? ": truncated" : ": trailing bytes");
  Tensor tensor(type, *header.shape);
  const auto elements = in.bytes(bytes);
  if (bytes > 0) std::memcpy(tensor.mutable_raw().data(), elements.data(), elements.size());
  if (type == DType::boolean)
    for (std::byte b : tensor.raw())
      require(b <= std::byte{1}, ErrorKind::bad_input, name, ": a bool that is neither 0 nor 1");
  return tensor;
}

Tensor read_npy(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return read_npy(file->bytes(), path.string());
}

void write_npy(const std::filesystem::path& path, const Tensor& tensor) {
  std::string_view descr;
  for (const TypeRow& row : kTypes)
    if (row.type == tensor.dtype()) descr = row.descr;
  require(!descr.empty(), ErrorKind::unsupported, path.string(), ": .npy cannot hold ",
          name(tensor.dtype()));
  std::string shape;
  for (i64 d : tensor.dims()) shape += std::to_string(d) + ", ";
  if (tensor.rank() > 1) shape.resize(shape.size() - 2);
  if (tensor.rank() == 1) shape.pop_back();
  std::string header =
      "{'descr': '" + std::string(descr) + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  constexpr size_t kPrefix = 10, kAlign = 64;
  header.resize((kPrefix + header.size() + 1 + kAlign - 1) / kAlign * kAlign - kPrefix, ' ');
  header.back() = '\n';
  ByteWriter prefix;
  prefix.bytes(std::as_bytes(std::span(kMagic)));
  prefix.u8_(1);
  prefix.u8_(0);
  prefix.u8_(u8(header.size()));
  prefix.u8_(u8(header.size() >> 8));
  prefix.bytes(std::as_bytes(std::span(header)));
  AtomicFile file(path);
  file.write(prefix.view());
  file.write(tensor.raw());
  file.commit();
}

}  // namespace sinter::cli
