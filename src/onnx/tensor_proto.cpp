// SPDX-License-Identifier: Apache-2.0
#include "onnx/tensor_proto.h"

#include <charconv>
#include <cstring>
#include <protozero/pbf_writer.hpp>

#include "base/file.h"

namespace sinter::onnx {
namespace {

DType element_type(int code, std::string_view what) {
  const DType type = DType(code);
  require(code > 0 && code < 256 && name(type) != "unknown", ErrorKind::unsupported, what,
          ": element type number ", code, " is not supported");
  return type;
}

/// Typed fields: several small types share one field, element by element.
template <class From>
Tensor from_field(DType type, const Dims& dims, const std::vector<From>& field,
                  std::string_view what) {
  Tensor t(type, dims);
  require(std::ssize(field) == t.size(), ErrorKind::bad_input, what, ": expected ", t.size(),
          " elements for ", to_text(dims), ", found ", field.size());
  const i64 width = element_size(type);
  for (i64 i = 0; i < t.size(); ++i)  // little-endian: the low bytes are the narrow value
    std::memcpy(t.mutable_raw().data() + i * width, &field[size_t(i)], size_t(width));
  return t;
}

i64 number(std::string_view text, std::string_view what) {
  i64 v = -1;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), v);
  require(status == std::errc() && end == text.data() + text.size() && v >= 0, ErrorKind::bad_input,
          what, ": external data: expected a number, found \"", text, "\"");
  return v;
}

/// The mapped bytes of an external tensor and their owner.
std::pair<Bytes, std::shared_ptr<const MappedFile>> external(const TensorProto& proto,
                                                             const TensorSource& source,
                                                             i64 expected, std::string_view what) {
  std::string_view location;
  i64 offset = 0, length = expected;
  for (const auto& [key, value] : proto.external_data) {
    if (key == "location") location = value;
    if (key == "offset") offset = number(value, what);
    if (key == "length") length = number(value, what);
  }
  require(!source.folder.empty() && !location.empty(), ErrorKind::bad_input, what,
          ": external data without a file beside the model");
  const std::filesystem::path relative(location);
  std::error_code error;
  const auto folder = std::filesystem::canonical(source.folder, error);
  require(!error, ErrorKind::io, source.folder.string(), ": ", error.message());
  const auto path = std::filesystem::weakly_canonical(folder / relative, error);
  const auto inside = path.lexically_relative(folder);
  require(!error && !relative.is_absolute() && !inside.empty() && *inside.begin() != "..",
          ErrorKind::bad_input, what, ": external data \"", location,
          "\" is outside the model's folder");
  auto file = MappedFile::open(path);
  const i64 size = std::ssize(file->bytes());
  require(length == expected && offset <= size && length <= size - offset, ErrorKind::bad_input,
          what, ": external data \"", location, "\": expected ", expected, " bytes at offset ",
          offset, ", the tensor says ", length, " and the file has ", size);
  return {file->bytes().subspan(size_t(offset), size_t(length)), file};
}

}  // namespace

Tensor to_tensor(const TensorProto& proto, const TensorSource& source, std::string_view where) {
  const std::string what = std::string(where) + ": tensor \"" + std::string(proto.name) + "\"";
  const DType type = element_type(proto.data_type, what);
  const Dims& dims = proto.dims;
  const i64 count = element_count(dims);
  if (type == DType::string) {
    require(std::ssize(proto.string_data) == count, ErrorKind::bad_input, what, ": expected ",
            count, " texts, found ", proto.string_data.size());
    Tensor t(type, dims);
    for (size_t i = 0; i < proto.string_data.size(); ++i)
      t.mutable_strings()[i] = proto.string_data[i];
    return t;
  }
  if (proto.is_external) {
    const i64 expected = count * element_size(type);
    auto [bytes, file] = external(proto, source, expected, what);
    return Tensor::view(type, dims, bytes, std::move(file));
  }
  if (proto.raw_data) {
    require(std::ssize(*proto.raw_data) == count * element_size(type), ErrorKind::bad_input, what,
            ": expected ", count * element_size(type), " bytes for ", name(type), to_text(dims),
            ", found ", proto.raw_data->size());
    return Tensor::view(type, dims, *proto.raw_data, source.owner);
  }
  switch (type) {
    case DType::f32:
      return from_field(type, dims, proto.float_data, what);
    case DType::f64:
      return from_field(type, dims, proto.double_data, what);
    case DType::i64:
      return from_field(type, dims, proto.int64_data, what);
    case DType::u32:
    case DType::u64:
      return from_field(type, dims, proto.uint64_data, what);
    default:
      return from_field(type, dims, proto.int32_data, what);
  }
}

std::string to_proto(const Tensor& tensor, std::string_view name) {
  std::string out;
  protozero::pbf_writer w(out);
  for (i64 d : tensor.dims()) w.add_int64(1, d);
  w.add_int32(2, int(tensor.dtype()));
  for (const std::string& s : tensor.strings()) w.add_bytes(6, s);
  if (!name.empty()) w.add_string(8, name.data(), name.size());
  if (tensor.dtype() != DType::string)
    w.add_bytes(9, reinterpret_cast<const char*>(tensor.raw().data()), tensor.raw().size());
  return out;
}

}  // namespace sinter::onnx

namespace sinter {

Tensor read_tensor_pb(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const onnx::TensorProto proto = onnx::parse_tensor(file->bytes(), path.string());
  return onnx::to_tensor(proto, {file, {}}, path.string());
}

void write_tensor_pb(const std::filesystem::path& path, const Tensor& tensor,
                     std::string_view name) {
  const std::string bytes = onnx::to_proto(tensor, name);
  write_file(path, std::as_bytes(std::span(bytes.data(), bytes.size())));
}

}  // namespace sinter
