// SPDX-License-Identifier: Apache-2.0
#include "cli/tensor_io.h"

#include <cstring>

#include "base/file.h"
#include "cli/npy.h"
#include "cli/png_image.h"
#include "onnx/tensor_proto.h"

namespace sinter::cli {
namespace {

bool fits(const Dims& dims, const Shape& shape) {
  if (dims.size() != shape.size()) return false;
  for (size_t i = 0; i < dims.size(); ++i)
    if (shape[i].value() && *shape[i].value() != dims[i]) return false;
  return true;
}

}  // namespace

Tensor read_tensor(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  const std::string name = path.string();
  require(!file->bytes().empty(), ErrorKind::bad_input, name,
          ": empty file: expected a PNG, .npy or TensorProto file");
  if (is_png(file->bytes())) return read_png(file->bytes(), name);
  if (file->bytes()[0] == std::byte{0x93}) return read_npy(file->bytes(), name);
  require(path.extension() == ".pb", ErrorKind::bad_input, name,
          ": expected a PNG, a .npy or a TensorProto (.pb) file, found none of them");
  return read_tensor_pb(path);
}

Tensor to_float_input(const Tensor& raw, const InputScaling& scaling) {
  if (is_float(raw.dtype())) return convert(raw, DType::f32);
  const bool pixels = raw.dtype() == DType::u8 || raw.dtype() == DType::u16;
  const double scale = scaling.scale.value_or(pixels ? 1.0 / 255 : 1.0);
  const double offset = scaling.offset.value_or(0.0);
  const double unit = raw.dtype() == DType::u16 ? 1.0 / 257 : 1.0;
  Tensor result(DType::f32, raw.dims());
  const auto out = result.mutable_data<float>();
  for (i64 i = 0; i < raw.size(); ++i)
    out[size_t(i)] = float(raw.as_double(i) * unit * scale + offset);
  return result;
}

Tensor read_input(const std::filesystem::path& path, const std::string& input_name, DType dtype,
                  const std::optional<Shape>& shape, const InputScaling& scaling) {
  Tensor tensor = read_tensor(path);
  if (dtype == DType::f32 && tensor.dtype() != DType::f32) {
    require(tensor.dtype() != DType::string && tensor.dtype() != DType::boolean,
            ErrorKind::bad_argument, path.string(), ": input ", input_name, " is ", name(dtype),
            ", the file holds ", name(tensor.dtype()));
    tensor = to_float_input(tensor, scaling);
  }
  require(tensor.dtype() == dtype, ErrorKind::bad_argument, path.string(), ": input ", input_name,
          " is ", name(dtype), ", the file holds ", name(tensor.dtype()));
  if (!shape) return tensor;
  Dims dims = tensor.dims();
  while (dims.size() < shape->size()) dims.insert(dims.begin(), 1);
  require(fits(dims, *shape), ErrorKind::bad_argument, path.string(), ": input ", input_name,
          " has shape ", to_text(*shape), ", the file holds ", to_text(tensor.dims()));
  return std::move(tensor).reshaped(std::move(dims));
}

Tensor take(const Tensor& batch, i64 begin, i64 count) {
  SINTER_ASSERT(batch.rank() >= 1 && begin >= 0 && count >= 0 && begin + count <= batch.dim(0));
  Dims dims = batch.dims();
  const i64 item = batch.dim(0) == 0 ? 0 : batch.byte_size() / batch.dim(0);
  dims[0] = count;
  Tensor part(batch.dtype(), std::move(dims));
  if (part.byte_size() > 0)
    std::memcpy(part.mutable_raw().data(), batch.raw().data() + begin * item, size_t(count * item));
  return part;
}

}  // namespace sinter::cli
