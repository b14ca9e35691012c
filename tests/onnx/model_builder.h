// SPDX-License-Identifier: Apache-2.0
// Small ONNX files built field by field, sound or not, for the importer's tests.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "graph/evaluate.h"
#include "onnx/import.h"
#include "onnx/tensor_proto.h"

namespace sinter::testing_onnx {

using protozero::pbf_writer;
using Texts = std::vector<std::string>;

/// One AttributeProto message.
inline std::string attr(const std::string& name, i64 v) {
  std::string out;
  pbf_writer w(out);
  w.add_string(1, name);
  w.add_int64(3, v);
  w.add_enum(20, 2);
  return out;
}
inline std::string attr(const std::string& name, float v) {
  std::string out;
  pbf_writer w(out);
  w.add_string(1, name);
  w.add_float(2, v);
  w.add_enum(20, 1);
  return out;
}
inline std::string attr(const std::string& name, const char* v) {
  std::string out;
  pbf_writer w(out);
  w.add_string(1, name);
  w.add_bytes(4, v);
  w.add_enum(20, 3);
  return out;
}
inline std::string attr(const std::string& name, const std::vector<i64>& v) {
  std::string out;
  pbf_writer w(out);
  w.add_string(1, name);
  w.add_packed_int64(8, v.begin(), v.end());
  w.add_enum(20, 7);
  return out;
}
inline std::string attr(const std::string& name, const Tensor& v) {
  std::string out;
  pbf_writer w(out);
  w.add_string(1, name);
  w.add_message(5, onnx::to_proto(v, ""));
  w.add_enum(20, 4);
  return out;
}
inline std::string reference(const std::string& name, const std::string& to, int type) {
  std::string out;
  pbf_writer w(out);
  w.add_string(1, name);
  w.add_string(21, to);
  w.add_enum(20, type);
  return out;
}
inline std::string subgraph(const std::string& name) {
  std::string out;
  pbf_writer w(out);
  w.add_string(1, name);
  w.add_message(6, std::string());
  w.add_enum(20, 5);
  return out;
}
/// A graph attribute; nodes, inputs, outputs and initializers are messages.
inline std::string graph_attr(const std::string& name, const Texts& nodes, const Texts& inputs,
                              const Texts& outputs, const Texts& initializers = {}) {
  std::string graph, out;
  pbf_writer g(graph);
  for (const auto& n : nodes) g.add_message(1, n);
  g.add_string(2, "body");
  for (const auto& t : initializers) g.add_message(5, t);
  for (const auto& v : inputs) g.add_message(11, v);
  for (const auto& v : outputs) g.add_message(12, v);
  pbf_writer w(out);
  w.add_string(1, name);
  w.add_message(6, graph);
  w.add_enum(20, 5);
  return out;
}

/// One NodeProto message.
inline std::string node(const std::string& op, const Texts& inputs, const Texts& outputs,
                        const Texts& attributes = {}, const std::string& name = "",
                        const std::string& domain = "") {
  std::string out;
  pbf_writer w(out);
  for (const auto& i : inputs) w.add_string(1, i);
  for (const auto& o : outputs) w.add_string(2, o);
  if (!name.empty()) w.add_string(3, name);
  w.add_string(4, op);
  for (const auto& a : attributes) w.add_message(5, a);
  if (!domain.empty()) w.add_string(7, domain);
  return out;
}

/// One ValueInfoProto message; "n" is a symbol, "" an unknown dimension, "3" a number.
inline std::string value(const std::string& name, const Texts& dims, DType type = DType::f32) {
  std::string out;
  pbf_writer w(out);
  w.add_string(1, name);
  pbf_writer t(w, 2), tensor(t, 1);
  tensor.add_int32(1, int(type));
  std::string shape;  // texts, as a pbf_writer drops messages that stay empty
  for (const auto& d : dims) {
    std::string dim;
    pbf_writer into(dim);
    if (!d.empty() && (std::isdigit(d[0]) || d[0] == '-'))
      into.add_int64(1, std::stoll(d));
    else if (!d.empty())
      into.add_string(2, d);
    pbf_writer(shape).add_message(1, dim);
  }
  tensor.add_message(2, shape);
  return out;
}

inline std::string opset(const std::string& domain, i64 version) {
  std::string out;
  pbf_writer w(out);
  w.add_string(1, domain);
  w.add_int64(2, version);
  return out;
}

/// One FunctionProto message.
inline std::string function(const std::string& domain, const std::string& name, const Texts& inputs,
                            const Texts& outputs, const Texts& nodes, const Texts& defaults = {},
                            i64 version = 17) {
  std::string out;
  pbf_writer w(out);
  w.add_string(1, name);
  for (const auto& i : inputs) w.add_string(4, i);
  for (const auto& o : outputs) w.add_string(5, o);
  for (const auto& n : nodes) w.add_message(7, n);
  w.add_message(9, opset("", version));
  w.add_string(10, domain);
  for (const auto& d : defaults) w.add_message(11, d);
  return out;
}

struct Model {
  i64 version = 17, ir_version = 8;
  Texts inputs, outputs, nodes, initializers, functions, opsets;

  Model& constant(const std::string& name, const Tensor& t) {
    initializers.push_back(onnx::to_proto(t, name));
    return *this;
  }
  std::vector<std::byte> bytes() const {
    std::string out;
    pbf_writer w(out);
    w.add_int64(1, ir_version);
    {
      pbf_writer g(w, 7);
      for (const auto& n : nodes) g.add_message(1, n);
      g.add_string(2, "g");
      for (const auto& t : initializers) g.add_message(5, t);
      for (const auto& v : inputs) g.add_message(11, v);
      for (const auto& v : outputs) g.add_message(12, v);
    }
    if (version > 0) w.add_message(8, opset("", version));
    for (const auto& o : opsets) w.add_message(8, o);
    for (const auto& f : functions) w.add_message(25, f);
    const auto raw = std::as_bytes(std::span(out.data(), out.size()));
    return {raw.begin(), raw.end()};
  }
  Graph import() const { return import_onnx(bytes(), nullptr, "test.onnx"); }
};

/// Runs `action`, which must fail, and returns kind and message.
inline Error error_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "no error";
  return Error(ErrorKind::internal, "no error");
}

inline void expect_error(const std::function<void()>& action, ErrorKind kind, const Texts& parts) {
  const Error e = error_of(action);
  EXPECT_EQ(int(e.kind()), int(kind)) << e.what();
  for (const std::string& part : parts)
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos)
        << "\"" << part << "\" is not in: " << e.what();
}

/// A folder of its own that goes away with the object.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "sinter-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline Tensor floats(Dims dims, const std::vector<float>& values) {
  return Tensor::of<float>(std::move(dims), std::span<const float>(values));
}
inline Tensor ints(const std::vector<i64>& values) {
  return Tensor::of<i64>({std::ssize(values)}, std::span<const i64>(values));
}
inline std::vector<double> values_of(const Tensor& t) {
  std::vector<double> out;
  for (i64 i = 0; i < t.size(); ++i) out.push_back(t.as_double(i));
  return out;
}

}  // namespace sinter::testing_onnx
