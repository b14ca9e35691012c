// SPDX-License-Identifier: Apache-2.0
// A pull reader over protozero. Unknown fields are skipped, as protobuf asks. Graphs nest in
// attributes, types in types: both to a fixed depth only, so recursion is bounded.
#include <algorithm>
#include <protozero/pbf_reader.hpp>
#include <set>

#include "base/error.h"
#include "onnx/model.h"

namespace sinter::onnx {
namespace {

using protozero::pbf_wire_type;

constexpr int kMaxDepth = 32;  // of graphs in graphs, of types in types

/// protozero's reader, which takes its caller's word for wire types, with a check before each read.
class Reader {
 public:
  explicit Reader(std::string_view bytes, int depth = 0)
      : reader_(bytes.data(), bytes.size()), bytes_(bytes), depth_(depth) {}

  std::string_view bytes() const { return bytes_; }  ///< the whole message

  bool next() { return reader_.next(); }
  u32 tag() const { return reader_.tag(); }
  void skip() { reader_.skip(); }
  bool is_packed() const { return reader_.has_wire_type(pbf_wire_type::length_delimited); }

  std::string_view text() {
    expect(pbf_wire_type::length_delimited);
    const protozero::data_view view = reader_.get_view();
    return {view.data(), view.size()};
  }
  Reader message() { return Reader(text(), depth_); }
  /// A message that may hold messages of its own kind.
  Reader deeper() {
    require(depth_ < kMaxDepth, ErrorKind::bad_input, "graphs or types nest more than ", kMaxDepth,
            " deep");
    return Reader(text(), depth_ + 1);
  }
  i64 get_int64() {
    expect(pbf_wire_type::varint);
    return reader_.get_int64();
  }
  i32 get_int32() { return i32(get_int64()); }  // the low half, as protobuf has it
  u64 get_uint64() { return u64(get_int64()); }
  float get_float() {
    expect(pbf_wire_type::fixed32);
    return reader_.get_float();
  }
  double get_double() {
    expect(pbf_wire_type::fixed64);
    return reader_.get_double();
  }
  auto get_packed_int32() { return reader_.get_packed_int32(); }
  auto get_packed_int64() { return reader_.get_packed_int64(); }
  auto get_packed_uint64() { return reader_.get_packed_uint64(); }
  auto get_packed_float() { return reader_.get_packed_float(); }
  auto get_packed_double() { return reader_.get_packed_double(); }

 private:
  void expect(pbf_wire_type type) const {
    require(reader_.has_wire_type(type), ErrorKind::bad_input, "field ", reader_.tag(),
            ": expected wire type ", int(type), ", found ", int(reader_.wire_type()));
  }
  protozero::pbf_reader reader_;
  std::string_view bytes_;
  int depth_;
};

std::string_view text(Reader& r) { return r.text(); }

Bytes bytes_of(std::string_view view) { return std::as_bytes(std::span(view.data(), view.size())); }

/// Repeated scalars come packed or one at a time.
template <class T, class Packed, class One>
void scalars(Reader& r, std::vector<T>& into, const Packed& packed, const One& one) {
  if (!r.is_packed()) {
    into.push_back(T(one()));
    return;
  }
  for (const auto v : packed()) into.push_back(T(v));
}

#define SINTER_SCALARS(into, kind) \
  scalars(                         \
      r, into, [&] { return r.get_packed_##kind(); }, [&] { return r.get_##kind(); })

std::pair<std::string_view, std::string_view> entry(Reader r) {
  std::pair<std::string_view, std::string_view> e;
  while (r.next()) {
    if (r.tag() == 1)
      e.first = text(r);
    else if (r.tag() == 2)
      e.second = text(r);
    else
      r.skip();
  }
  return e;
}

TensorProto tensor(Reader r) {
  TensorProto t;
  t.raw = r.bytes();
  while (r.next()) switch (r.tag()) {
      case 1:
        SINTER_SCALARS(t.dims, int64);
        break;
      case 2:
        t.data_type = r.get_int32();
        break;
      case 3:
        t.has_segment = true, r.skip();
        break;
      case 4:
        SINTER_SCALARS(t.float_data, float);
        break;
      case 5:
        SINTER_SCALARS(t.int32_data, int32);
        break;
      case 6:
        t.string_data.push_back(text(r));
        break;
      case 7:
        SINTER_SCALARS(t.int64_data, int64);
        break;
      case 8:
        t.name = text(r);
        break;
      case 9:
        t.raw_data = bytes_of(text(r));
        break;
      case 10:
        SINTER_SCALARS(t.double_data, double);
        break;
      case 11:
        SINTER_SCALARS(t.uint64_data, uint64);
        break;
      case 13:
        t.external_data.push_back(entry(r.message()));
        break;
      case 14:
        t.is_external = r.get_int32() == 1;
        break;
      default:
        r.skip();
    }
  return t;
}

DimProto dim(Reader r) {
  DimProto d;
  while (r.next()) switch (r.tag()) {
      case 1:
        d.value = r.get_int64();
        break;
      case 2:
        d.param = text(r);
        break;
      default:
        r.skip();
    }
  return d;
}

std::vector<DimProto> shape(Reader r) {
  std::vector<DimProto> dims;
  while (r.next()) {
    if (r.tag() == 1)
      dims.push_back(dim(r.message()));
    else
      r.skip();
  }
  return dims;
}

TypeProto type_proto(Reader r);

/// TypeProto.Tensor; Sequence and Optional have one field, the type of their elements.
void tensor_type(Reader r, TypeProto& type) {
  while (r.next()) switch (r.tag()) {
      case 1:
        type.elem_type = r.get_int32();
        break;
      case 2:
        type.shape = shape(r.message());
        break;
      default:
        r.skip();
    }
}

void container_type(Reader r, TypeProto& type) {
  while (r.next()) {
    if (r.tag() == 1)
      type.element = std::make_shared<const TypeProto>(type_proto(r.deeper()));
    else
      r.skip();
  }
}

TypeProto type_proto(Reader r) {
  using Kind = TypeProto::Kind;
  TypeProto type;
  type.raw = r.bytes();
  while (r.next()) switch (r.tag()) {
      case 1:
        type.kind = Kind::tensor, tensor_type(r.message(), type);
        break;
      case 4:
        type.kind = Kind::sequence, container_type(r.message(), type);
        break;
      case 9:
        type.kind = Kind::optional, container_type(r.message(), type);
        break;
      case 5:
      case 7:
      case 8:
        type.kind = Kind::other, r.skip();
        break;
      default:
        r.skip();
    }
  return type;
}

ValueInfoProto value_info(Reader r) {
  ValueInfoProto v;
  while (r.next()) switch (r.tag()) {
      case 1:
        v.name = text(r);
        break;
      case 2:
        v.type = type_proto(r.message());
        break;
      case 3:
        v.doc = text(r);
        break;
      default:
        r.skip();
    }
  return v;
}

SparseTensorProto sparse_tensor(Reader r) {
  SparseTensorProto t;
  while (r.next()) switch (r.tag()) {
      case 1:
        t.values = tensor(r.message());
        break;
      case 2:
        t.indices = tensor(r.message());
        break;
      case 3:
        SINTER_SCALARS(t.dims, int64);
        break;
      default:
        r.skip();
    }
  return t;
}

GraphProto graph(Reader r);

AttributeProto attribute(Reader r) {
  AttributeProto a;
  a.raw = r.bytes();
  int guessed = 0;
  while (r.next()) switch (r.tag()) {
      case 1:
        a.name = text(r);
        break;
      case 2:
        a.f = r.get_float(), guessed = 1;
        break;
      case 3:
        a.i = r.get_int64(), guessed = 2;
        break;
      case 4:
        a.s = text(r), guessed = 3;
        break;
      case 5:
        a.t = tensor(r.message()), guessed = 4;
        break;
      case 6:
      case 11:
        guessed = r.tag() == 6 ? 5 : 10;
        a.graphs.push_back(std::make_shared<const GraphProto>(graph(r.deeper())));
        break;
      case 7:
        SINTER_SCALARS(a.floats, float), guessed = 6;
        break;
      case 8:
        SINTER_SCALARS(a.ints, int64), guessed = 7;
        break;
      case 9:
        a.strings.push_back(text(r)), guessed = 8;
        break;
      case 14:
        a.type_proto = std::make_shared<const TypeProto>(type_proto(r.message())), guessed = 13;
        break;
      case 20:
        a.type = r.get_int32();
        break;
      case 21:
        a.reference = text(r);
        break;
      case 22:
        a.sparse = std::make_shared<const SparseTensorProto>(sparse_tensor(r.message()));
        guessed = 11;
        break;
      default:
        r.skip();
    }
  if (a.type == 0) a.type = guessed;
  return a;
}

NodeProto node(Reader r) {
  NodeProto n;
  while (r.next()) switch (r.tag()) {
      case 1:
        n.inputs.push_back(text(r));
        break;
      case 2:
        n.outputs.push_back(text(r));
        break;
      case 3:
        n.name = text(r);
        break;
      case 4:
        n.op_type = text(r);
        break;
      case 5:
        n.attributes.push_back(attribute(r.message()));
        break;
      case 7:
        n.domain = text(r);
        break;
      case 6:
        n.doc = text(r);
        break;
      case 8:
        n.overload = text(r);
        break;
      default:
        r.skip();
    }
  std::set<std::string_view> seen;
  for (const AttributeProto& a : n.attributes)
    for (const auto& g : a.graphs)
      for (std::string_view name : free_names(*g))
        if (seen.insert(name).second) n.captures.push_back(name);
  return n;
}

OpsetProto opset(Reader r) {
  OpsetProto o;
  while (r.next()) switch (r.tag()) {
      case 1:
        o.domain = text(r);
        break;
      case 2:
        o.version = r.get_int64();
        break;
      default:
        r.skip();
    }
  return o;
}

GraphProto graph(Reader r) {
  GraphProto g;
  while (r.next()) switch (r.tag()) {
      case 1:
        g.nodes.push_back(node(r.message()));
        break;
      case 2:
        g.name = text(r);
        break;
      case 5:
        g.initializers.push_back(tensor(r.message()));
        break;
      case 11:
        g.inputs.push_back(value_info(r.message()));
        break;
      case 12:
        g.outputs.push_back(value_info(r.message()));
        break;
      case 13:
        g.values.push_back(value_info(r.message()));
        break;
      case 10:
        g.doc = text(r);
        break;
      case 15:
        g.sparse_initializers.push_back(sparse_tensor(r.message()));
        break;
      default:
        r.skip();
    }
  return g;
}

FunctionProto function(Reader r) {
  FunctionProto f;
  f.raw = r.bytes();
  while (r.next()) switch (r.tag()) {
      case 1:
        f.name = text(r);
        break;
      case 4:
        f.inputs.push_back(text(r));
        break;
      case 5:
        f.outputs.push_back(text(r));
        break;
      case 6:
        f.attributes.push_back(text(r));
        break;
      case 7:
        f.nodes.push_back(node(r.message()));
        break;
      case 9:
        f.opsets.push_back(opset(r.message()));
        break;
      case 10:
        f.domain = text(r);
        break;
      case 11:
        f.defaults.push_back(attribute(r.message()));
        break;
      case 13:
        f.overload = text(r);
        break;
      default:
        r.skip();
    }
  return f;
}

ModelProto model(Reader r) {
  ModelProto m;
  while (r.next()) switch (r.tag()) {
      case 1:
        m.ir_version = r.get_int64();
        break;
      case 2:
        m.producer_name = text(r);
        break;
      case 3:
        m.producer_version = text(r);
        break;
      case 4:
        m.domain = text(r);
        break;
      case 5:
        m.model_version = r.get_int64();
        break;
      case 6:
        m.doc = text(r);
        break;
      case 7:
        m.graph = graph(r.message());
        break;
      case 8:
        m.opsets.push_back(opset(r.message()));
        break;
      case 14:
        m.metadata.push_back(entry(r.message()));
        break;
      case 20:
        m.has_training_info = true, r.skip();
        break;
      case 25:
        m.functions.push_back(function(r.message()));
        break;
      default:
        r.skip();
    }
  return m;
}

/// SequenceProto: name 1, elem_type 2, items by kind from 3; OptionalProto the same with one value.
ContainerProto container(Reader r) {
  ContainerProto c;
  while (r.next()) switch (r.tag()) {
      case 2:
        c.kind = r.get_int32();
        break;
      case 3:
        c.tensors.push_back(tensor(r.message()));
        break;
      case 5:
      case 7:
        c.containers.push_back(container(r.deeper()));
        break;
      default:
        r.skip();
    }
  return c;
}

/// What is wrong with the bytes, for people who do not know the encoding.
std::string_view plain_words(const protozero::exception& e) {
  if (dynamic_cast<const protozero::end_of_buffer_exception*>(&e))
    return "a field goes on behind the end of its bytes";
  if (dynamic_cast<const protozero::varint_too_long_exception*>(&e))
    return "a number has more than 10 bytes";
  if (dynamic_cast<const protozero::unknown_pbf_wire_type_exception*>(&e))
    return "a field has an unknown encoding";
  if (dynamic_cast<const protozero::invalid_tag_exception*>(&e))
    return "a field has an impossible number";
  if (dynamic_cast<const protozero::invalid_length_exception*>(&e))
    return "a list of numbers has an impossible length";
  return "a field is malformed";
}

template <class Parse>
auto guarded(Bytes bytes, std::string_view what, std::string_view expected, const Parse& parse) {
  try {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return parse(Reader(text));
  } catch (const protozero::exception& e) {
    fail(ErrorKind::bad_input, what, ": truncated or not ", expected, " (", plain_words(e), ")");
  } catch (const Error& e) {
    fail(ErrorKind::bad_input, what, ": truncated or not ", expected, " (", e.what(), ")");
  }
}

}  // namespace

std::vector<std::string_view> free_names(const GraphProto& g) {
  std::set<std::string_view> known = {""};
  for (const TensorProto& t : g.initializers) known.insert(t.name);
  for (const SparseTensorProto& t : g.sparse_initializers) known.insert(t.values.name);
  for (const ValueInfoProto& v : g.inputs) known.insert(v.name);
  for (const NodeProto& n : g.nodes) known.insert(n.outputs.begin(), n.outputs.end());
  std::vector<std::string_view> found;
  const auto reads = [&](std::string_view name) {
    if (known.insert(name).second) found.push_back(name);
  };
  for (const NodeProto& n : g.nodes) {
    for (std::string_view name : n.inputs) reads(name);
    for (std::string_view name : n.captures) reads(name);
  }
  for (const ValueInfoProto& v : g.outputs) reads(v.name);
  return found;
}

ModelProto parse_model(Bytes bytes, std::string_view what) {
  return guarded(bytes, what, "an ONNX model", [](Reader r) { return model(r); });
}

TensorProto parse_tensor(Bytes bytes, std::string_view what) {
  return guarded(bytes, what, "an ONNX tensor", [](Reader r) { return tensor(r); });
}

ContainerProto parse_container(Bytes bytes, std::string_view what) {
  return guarded(bytes, what, "an ONNX sequence or optional",
                 [](Reader r) { return container(r); });
}

NodeProto parse_node(Bytes bytes, std::string_view what) {
  return guarded(bytes, what, "an ONNX node", [](Reader r) { return node(r); });
}

GraphProto parse_graph_proto(Bytes bytes, std::string_view what) {
  return guarded(bytes, what, "an ONNX graph", [](Reader r) { return graph(r); });
}

}  // namespace sinter::onnx
