// SPDX-License-Identifier: Apache-2.0
#include "onnx/tensor_proto.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <protozero/pbf_writer.hpp>

#include "base/bytes.h"
#include "base/file.h"

namespace sinter::onnx {
namespace {

DType element_type(int code, std::string_view what) {
  require(is_element_type(code), ErrorKind::unsupported, what, ": element type number ", code,
          " is not supported");
  return DType(code);
}

/// Typed fields: several small types share one field, element by element. The count is checked
/// before anything is allocated: a shape may claim what no file holds.
template <class From>
Tensor from_field(DType type, const Dims& dims, i64 count, const std::vector<From>& field,
                  std::string_view what) {
  require(std::ssize(field) == count, ErrorKind::bad_input, what, ": expected ", count,
          " elements for ", to_text(dims), ", found ", field.size());
  Tensor t(type, dims);
  const i64 width = element_size(type);
  for (i64 i = 0; i < count; ++i)  // little-endian: the low bytes are the narrow value
    std::memcpy(t.mutable_raw().data() + i * width, &field[size_t(i)], size_t(width));
  return t;
}

/// A bool is one byte, 0 or 1. Any other byte in a file means true and is copied as 1.
Tensor with_sound_bools(Tensor t) {
  const auto raw = t.raw();
  if (t.dtype() != DType::boolean ||
      std::all_of(raw.begin(), raw.end(), [](std::byte b) { return u8(b) <= 1; }))
    return t;
  Tensor copy(DType::boolean, t.dims());
  std::transform(raw.begin(), raw.end(), copy.mutable_raw().begin(),
                 [](std::byte b) { return std::byte(u8(b) != 0); });
  return copy;
}

i64 number(std::string_view text, std::string_view what) {
  i64 v = -1;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), v);
  require(status == std::errc() && end == text.data() + text.size() && v >= 0, ErrorKind::bad_input,
          what, ": external data: expected a number, found \"", text, "\"");
  return v;
}

/// The mapped bytes of an external tensor and their owner. expected < 0: as many as it says.
std::pair<Bytes, std::shared_ptr<const MappedFile>> external(const TensorProto& proto,
                                                             TensorSource& source, i64 expected,
                                                             std::string_view what) {
  std::string_view location;
  i64 offset = 0, length = expected;
  for (const auto& [key, value] : proto.external_data) {
    if (key == "location") location = value;
    if (key == "offset") offset = number(value, what);
    if (key == "length") length = number(value, what);
  }
  require(!source.folder.empty() && !location.empty(), ErrorKind::bad_input, what,
          ": external data without a file beside the model");
  require(location.find('\0') == location.npos, ErrorKind::bad_input, what,
          ": external data: the location holds a zero byte");
  const std::filesystem::path relative(location);
  std::error_code error;
  const auto folder = std::filesystem::canonical(source.folder, error);
  require(!error, ErrorKind::io, source.folder.string(), ": ", error.message());
  // Links are followed first: one that leads out of the folder is outside.
  const auto path = std::filesystem::weakly_canonical(folder / relative, error);
  const auto inside = path.lexically_relative(folder);
  require(!error && !relative.is_absolute() && !inside.empty() && *inside.begin() != "..",
          ErrorKind::bad_input, what, ": external data \"", location,
          "\" is outside the model's folder");
  auto& file = source.files[path];
  if (!file) file = MappedFile::open(path);
  const i64 size = std::ssize(file->bytes());
  if (length < 0) length = std::max<i64>(0, size - offset);
  require((length == expected || expected < 0) && offset <= size && length <= size - offset,
          ErrorKind::bad_input, what, ": external data \"", location, "\": expected ", expected,
          " bytes at offset ", offset, ", the tensor says ", length, " and the file has ", size);
  return {file->bytes().subspan(size_t(offset), size_t(length)), file};
}

}  // namespace

Tensor to_tensor(const TensorProto& proto, TensorSource& source) {
  const std::string what = "tensor \"" + std::string(proto.name) + "\"";
  const DType type = element_type(proto.data_type, what);
  const Dims& dims = proto.dims;
  for (i64 d : dims)
    require(d >= 0, ErrorKind::bad_input, what, ": negative dimension in ", to_text(dims));
  const i64 count = element_count(dims),
            expected = checked_multiply(count, element_size(type), what);
  require(!proto.has_segment, ErrorKind::unsupported, what, ": data in segments is not supported");
  if (type == DType::string) {
    require(std::ssize(proto.string_data) == count, ErrorKind::bad_input, what, ": expected ",
            count, " texts, found ", proto.string_data.size());
    Tensor t(type, dims);
    for (size_t i = 0; i < proto.string_data.size(); ++i)
      t.mutable_strings()[i] = proto.string_data[i];
    return t;
  }
  if (proto.is_external) {
    auto [bytes, file] = external(proto, source, expected, what);
    return with_sound_bools(Tensor::view(type, dims, bytes, std::move(file)));
  }
  if (proto.raw_data) {
    require(std::ssize(*proto.raw_data) == expected, ErrorKind::bad_input, what, ": expected ",
            expected, " bytes for ", name(type), to_text(dims), ", found ", proto.raw_data->size());
    Tensor t = with_sound_bools(Tensor::view(type, dims, *proto.raw_data, source.owner));
    return source.owner ? std::move(t) : t.clone();  // nobody keeps the bytes: copy
  }
  switch (type) {
    case DType::f32:
      return from_field(type, dims, count, proto.float_data, what);
    case DType::f64:
      return from_field(type, dims, count, proto.double_data, what);
    case DType::i64:
      return from_field(type, dims, count, proto.int64_data, what);
    case DType::u32:
    case DType::u64:
      return from_field(type, dims, count, proto.uint64_data, what);
    default:
      return with_sound_bools(from_field(type, dims, count, proto.int32_data, what));
  }
}

bool is_element_type(int code) {
  return code > 0 && code < int(DType::sequence) && name(DType(code)) != "unknown";
}

Tensor to_dense(const SparseTensorProto& proto, TensorSource& source) {
  constexpr i64 kMaxBytes = i64(256) << 20;
  const std::string what = "sparse tensor \"" + std::string(proto.values.name) + "\"";
  const Tensor values = to_tensor(proto.values, source), indices = to_tensor(proto.indices, source);
  for (i64 d : proto.dims)
    require(d >= 0, ErrorKind::bad_input, what, ": negative dimension in ", to_text(proto.dims));
  const i64 count = element_count(proto.dims), rank = std::ssize(proto.dims);
  const i64 width = element_size(values.dtype());
  require(width > 0 && checked_multiply(count, width, what) <= kMaxBytes, ErrorKind::unsupported,
          what, ": ", to_text(proto.dims), " elements are too many to be held densely");
  const bool is_linear = indices.rank() == 1;
  require(values.rank() == 1 && indices.dtype() == DType::i64 &&
              (is_linear || (indices.rank() == 2 && indices.dim(1) == rank)) &&
              indices.dim(0) == values.dim(0),
          ErrorKind::bad_input, what, ": values ", to_text(values.dims()), " and indices ",
          to_text(indices.dims()), " do not fit");
  Tensor dense(values.dtype(), proto.dims);
  for (i64 i = 0; i < values.size(); ++i) {
    i64 at = is_linear ? indices.as_int(i) : 0;
    for (i64 a = 0; a < rank && !is_linear; ++a) {
      const i64 index = indices.as_int(i * rank + a);
      require(index >= 0 && index < proto.dims[size_t(a)], ErrorKind::bad_input, what, ": index ",
              index, " is outside");
      at = at * proto.dims[size_t(a)] + index;
    }
    require(at >= 0 && at < count, ErrorKind::bad_input, what, ": index ", at, " is outside");
    std::memcpy(dense.mutable_raw().data() + at * width, values.raw().data() + i * width,
                size_t(width));
  }
  return dense;
}

std::string inline_proto(const TensorProto& proto, TensorSource& source) {
  if (!proto.is_external) return std::string(proto.raw);
  const std::string what = "tensor \"" + std::string(proto.name) + "\"";
  const auto [bytes, file] = external(proto, source, -1, what);
  std::string out;
  protozero::pbf_writer w(out);
  for (i64 d : proto.dims) w.add_int64(1, d);
  w.add_int32(2, proto.data_type);
  w.add_bytes(9, reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return out;
}

std::string proto_head(const Tensor& tensor, std::string_view name) {
  std::string out;
  protozero::pbf_writer w(out);
  for (i64 d : tensor.dims()) w.add_int64(1, d);
  w.add_int32(2, int(tensor.dtype()));
  if (!name.empty()) w.add_string(8, name.data(), name.size());
  return out;
}

std::string to_proto(const Tensor& tensor, std::string_view name) {
  std::string out = proto_head(tensor, name);
  protozero::pbf_writer w(out);
  for (const std::string& s : tensor.strings()) w.add_bytes(6, s);
  if (tensor.dtype() != DType::string)
    w.add_bytes(9, reinterpret_cast<const char*>(tensor.raw().data()), tensor.raw().size());
  return out;
}

}  // namespace sinter::onnx

namespace sinter {

namespace {

Tensor read_named(std::span<const std::byte> bytes, onnx::TensorSource source,
                  std::string_view what) {
  const onnx::TensorProto proto = onnx::parse_tensor(bytes, what);
  try {
    return onnx::to_tensor(proto, source);
  } catch (const Error& e) {
    fail(e.kind(), what, ": ", e.what());
  }
}

}  // namespace

namespace {

Tensor to_value(const onnx::ContainerProto& proto, const ValueType& type,
                onnx::TensorSource& source) {
  const auto inner = [&](DType other) {
    return type.element ? *type.element : ValueType{other, {}, {}};
  };
  std::vector<Tensor> items;
  for (const onnx::TensorProto& t : proto.tensors) items.push_back(onnx::to_tensor(t, source));
  for (const onnx::ContainerProto& c : proto.containers)
    items.push_back(to_value(c, inner(DType::sequence), source));
  if (type.dtype == DType::sequence) return Tensor::sequence(std::move(items));
  if (items.size() > 1 && inner(DType::unknown).dtype == DType::sequence) {
    // A sequence where an optional one was promised.
    Tensor whole = Tensor::sequence(std::move(items));
    items.clear();
    items.push_back(std::move(whole));
  }
  require(items.size() <= 1, ErrorKind::bad_input, "an optional with ", items.size(), " values");
  return Tensor::optional(std::move(items));
}

}  // namespace

Tensor read_value_pb(const std::filesystem::path& path, const ValueType& type) {
  if (!is_container(type.dtype)) return read_tensor_pb(path);
  const auto file = MappedFile::open(path);
  const onnx::ContainerProto proto = onnx::parse_container(file->bytes(), path.string());
  onnx::TensorSource source{file, {}, {}};
  try {
    return to_value(proto, type, source);
  } catch (const Error& e) {
    fail(e.kind(), path.string(), ": ", e.what());
  }
}

Tensor read_tensor_pb(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return read_named(file->bytes(), {file, path.has_parent_path() ? path.parent_path() : ".", {}},
                    path.string());
}

Tensor read_tensor_pb(std::span<const std::byte> bytes, std::string_view what) {
  return read_named(bytes, {}, what);
}

void write_tensor_pb(const std::filesystem::path& path, const Tensor& tensor,
                     std::string_view name) {
  const std::string bytes = onnx::to_proto(tensor, name);
  write_file(path, std::as_bytes(std::span(bytes.data(), bytes.size())));
}

}  // namespace sinter
