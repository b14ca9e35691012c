// SPDX-License-Identifier: Apache-2.0
// Types are built as texts: a pbf_writer drops a message that stays empty, and an empty shape is a
// scalar's, an empty dimension an unknown one.
#include "onnx/exporter.h"

namespace sinter::onnx {
namespace {

/// Other expressions have no form in ONNX: such a dimension is left out, that is, unknown.
bool is_symbol(const Dim& d) {
  const std::string text = d.text();
  return text.find_first_of(" +*(),") == std::string::npos && text[0] != '-';
}

/// The dimensions to write: the inferred ones; where those have no form, what the file that was
/// read promised.
std::optional<Shape> written(std::optional<Shape> inferred, const std::optional<Shape>& declared) {
  if (!inferred || !declared || inferred->size() != declared->size())
    return inferred ? inferred : declared;
  for (size_t i = 0; i < inferred->size(); ++i) {
    const Dim& d = (*inferred)[i];
    if (!d.value() && !(d.is_known() && is_symbol(d))) (*inferred)[i] = (*declared)[i];
  }
  return inferred;
}

/// False when something about the type is not known that a file has to say.
bool is_whole(const ValueType& type) {
  if (is_container(type.dtype)) return type.element && is_whole(*type.element);
  return type.dtype != DType::unknown;
}

}  // namespace

TypeWriter::TypeWriter(const ModelInfo& info) {
  for (const auto& [inside, in_file] : info.symbols) file_symbols_[inside] = in_file;
}

std::string TypeWriter::shape_proto(const Shape& shape, bool is_input) const {
  std::string out;
  for (const Dim& d : shape) {
    std::string dim;
    pbf_writer w(dim);
    if (const auto n = d.value()) {
      w.add_int64(1, *n);
    } else if (d.is_known() && (is_input || is_symbol(d))) {
      const auto it = file_symbols_.find(d.text());
      put(w, 2, it != file_symbols_.end() ? it->second : d.text());
    }
    pbf_writer(out).add_message(1, dim);
  }
  return out;
}

std::string TypeWriter::type_proto(const ValueType& type, bool is_input) const {
  std::string inner, out;
  if (is_container(type.dtype)) {
    if (type.element) pbf_writer(inner).add_message(1, type_proto(*type.element, is_input));
    pbf_writer(out).add_message(type.dtype == DType::sequence ? 4 : 9, inner);
    return out;
  }
  if (type.dtype == DType::unknown) return "";
  pbf_writer w(inner);
  w.add_int32(1, int(type.dtype));
  if (type.shape) w.add_message(2, shape_proto(*type.shape, is_input));
  pbf_writer(out).add_message(1, inner);
  return out;
}

std::string TypeWriter::value_info(std::string_view name, const ValueType& type,
                                   std::string_view raw, const std::optional<Shape>& declared,
                                   bool is_input) const {
  std::string out;
  pbf_writer w(out);
  put(w, 1, name);
  ValueType shown = type;
  if (!is_container(type.dtype)) shown.shape = written(type.shape, declared);
  // The interface says of containers what the file said: a sequence may stand for an optional one.
  const bool from_file = !raw.empty() && (!is_whole(type) || is_container(type.dtype));
  const std::string message = from_file ? std::string(raw) : type_proto(shown, is_input);
  if (!message.empty()) w.add_message(2, message);
  return out;
}

}  // namespace sinter::onnx
