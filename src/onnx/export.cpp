// SPDX-License-Identifier: Apache-2.0
#include "onnx/export.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <protozero/pbf_writer.hpp>
#include <set>

#include "base/file.h"
#include "onnx/tensor_proto.h"

namespace sinter {
namespace {

using protozero::pbf_writer;

constexpr i64 kInlineBytes = 1024;    // smaller constants stay in the model file
constexpr i64 kDataAlignment = 4096;  // of constants in the data file: they can be mapped

void put(pbf_writer& w, int tag, std::string_view s) { w.add_string(u32(tag), s.data(), s.size()); }

/// A message as texts of its own and constants that stay where they are between them, so that
/// writing a model makes no second copy of its weights.
class Pieces {
 public:
  void add(std::string_view text) {
    if (parts_.empty() || !parts_.back().borrowed.empty()) parts_.emplace_back();
    parts_.back().text += text;
    size_ += std::ssize(text);
  }
  void add(std::span<const std::byte> borrowed) {
    if (borrowed.empty()) return;
    if (parts_.empty() || !parts_.back().borrowed.empty()) parts_.emplace_back();
    parts_.back().borrowed = borrowed;
    size_ += std::ssize(borrowed);
  }
  void add(Pieces&& other) {
    size_ += other.size_;
    for (Part& p : other.parts_) parts_.push_back(std::move(p));
  }
  /// Tag and length of a length-delimited field whose bytes follow.
  void add_header(u32 tag, i64 length) {
    std::string text;
    protozero::write_varint(std::back_inserter(text), tag << 3 | 2);
    protozero::write_varint(std::back_inserter(text), u64(length));
    add(text);
  }
  i64 size() const { return size_; }
  template <class Write>
  void each(const Write& write) const {
    for (const Part& p : parts_) {
      write(std::as_bytes(std::span(p.text.data(), p.text.size())));
      write(p.borrowed);
    }
  }

 private:
  struct Part {
    std::string text;
    std::span<const std::byte> borrowed;
  };
  std::vector<Part> parts_;
  i64 size_ = 0;
};

/// Bytes of constants that went to the data file.
class DataFile {
 public:
  explicit DataFile(const std::filesystem::path& path) : file_(path), path_(path) {}
  /// TensorProto fields that point to the bytes.
  std::string add(const Tensor& t, std::string_view name) {
    const i64 padding = (kDataAlignment - file_.position() % kDataAlignment) % kDataAlignment;
    file_.write(std::vector<std::byte>(static_cast<size_t>(padding)));
    const i64 offset = file_.position();
    file_.write(t.raw());
    std::string out = onnx::proto_head(t, name);
    pbf_writer w(out);
    entry(w, "location", path_.filename().string());
    entry(w, "offset", std::to_string(offset));
    entry(w, "length", std::to_string(t.byte_size()));
    w.add_enum(14, 1);
    return out;
  }
  void commit() { file_.commit(); }

 private:
  static void entry(pbf_writer& w, std::string_view key, const std::string& value) {
    pbf_writer e(w, 13);
    put(e, 1, key);
    put(e, 2, value);
  }
  AtomicFile file_;
  std::filesystem::path path_;
};

class Exporter {
 public:
  Exporter(const Graph& graph, const ExportOptions& options, DataFile* data)
      : g_(graph), options_(options), data_(data) {}

  Pieces run() {
    name_values();
    Pieces body = graph();
    std::string head, tail;
    const bool calls = !functions_.empty();
    {
      pbf_writer model(head);
      model.add_int64(1, std::max<i64>(calls ? 8 : 7, g_.info.ir_version));
      put(model, 2, g_.info.producer_name);
      put(model, 3, g_.info.producer_version);
      if (!g_.info.doc.empty()) put(model, 6, g_.info.doc);
    }
    pbf_writer model(tail);
    write_opset(model, 8, "", opset_);
    if (calls) write_opset(model, 8, "sinter", 1);
    for (const auto& [key, value] : g_.info.metadata) {
      pbf_writer e(model, 14);
      put(e, 1, key);
      put(e, 2, value);
    }
    for (Op op : functions_) write_function(model, op);
    Pieces out;
    out.add(head);
    out.add_header(7, body.size());
    out.add(std::move(body));
    out.add(tail);
    return out;
  }

 private:
  /// The name each value has in the file: a result that is an output takes the output's name, the
  /// interface is never renamed, and whatever else would meet one of its names gets a fresh one.
  void name_values() {
    for (const GraphOutput& o : g_.outputs()) names_taken_.insert(o.name);
    for (ValueId v : g_.inputs()) {
      names_[v] = g_.value(v).name;
      names_taken_.insert(names_[v]);
    }
    for (const GraphOutput& o : g_.outputs()) {
      const auto other = g_.find_value(o.name);
      const bool is_input = other && g_.value(*other).is_input;
      if (is_input && *other == o.value) continue;  // passed through under its own name
      require(!is_input, ErrorKind::bad_argument, "export: output \"", o.name,
              "\" has the name of an input that is another value");
      if (g_.value(o.value).producer.valid() && names_[o.value].empty())
        names_[o.value] = o.name;
      else
        identities_.push_back(&o);
    }
    for (ValueId v : g_.values())
      if (names_[v].empty()) names_[v] = fresh(g_.value(v).name);
    opset_ = std::max<i64>(13, g_.info.opset);
    for (NodeId n : g_.nodes()) opset_ = std::max<i64>(opset_, info(g_.node(n).op).opset);
  }

  std::string fresh(std::string name) {
    while (!names_taken_.insert(name).second) name += "_";
    return name;
  }

  Pieces graph() {
    std::string nodes, rest;
    pbf_writer w(nodes);
    for (NodeId id : g_.topological_order()) {
      const Node& n = g_.node(id);
      const bool own = info(n.op).opset == 0;
      if (own && options_.expand_functions) {
        write_expanded(w, n);
        continue;
      }
      if (own && std::find(functions_.begin(), functions_.end(), n.op) == functions_.end())
        functions_.push_back(n.op);
      write_node(w, n, own ? "sinter" : "");
    }
    for (const GraphOutput* o : identities_) write_call(w, "Identity", {names_[o->value]}, o->name);
    put(w, 2, g_.info.graph_name.empty() ? "sinter" : g_.info.graph_name);  // may not be empty
    Pieces out;
    out.add(nodes);
    for (ValueId v : g_.constants()) initializer(out, *g_.constant(v), names_[v]);
    pbf_writer interface(rest);
    for (ValueId v : g_.inputs()) write_value_info(interface, 11, names_[v], g_.value(v).type);
    for (const GraphOutput& o : g_.outputs())
      write_value_info(interface, 12, o.name, g_.value(o.value).type, o.declared);
    out.add(rest);
    return out;
  }

  void initializer(Pieces& out, const Tensor& t, const std::string& name) {
    const bool is_external =
        data_ != nullptr && t.dtype() != DType::string && t.byte_size() > kInlineBytes;
    if (is_external || t.dtype() == DType::string) {
      const std::string message = is_external ? data_->add(t, name) : onnx::to_proto(t, name);
      out.add_header(5, std::ssize(message));
      out.add(message);
      return;
    }
    Pieces message;
    message.add(onnx::proto_head(t, name));
    message.add_header(9, t.byte_size());
    message.add(t.raw());
    out.add_header(5, message.size());
    out.add(std::move(message));
  }

  void write_node(pbf_writer& graph, const Node& n, std::string_view domain) {
    pbf_writer w(graph, 1);
    for (ValueId v : n.inputs) put(w, 1, v.valid() ? std::string_view(names_[v]) : "");
    // An unread output may be left out, unless how many there are is the operator's meaning.
    const bool is_variadic = info(n.op).max_outputs < 0;
    for (ValueId v : n.outputs)
      put(w, 2, is_variadic || g_.use_count(v) > 0 || v == n.outputs[0] ? names_[v] : "");
    if (!n.name.empty()) put(w, 3, n.name);
    put(w, 4, name(n.op));
    for (const auto& [key, value] : n.attributes) write_attribute(w, key, value);
    if (!domain.empty()) put(w, 7, domain);
  }

  static void write_call(pbf_writer& graph, std::string_view op, std::vector<std::string> inputs,
                         std::string_view output, int tag = 1) {
    pbf_writer w(graph, u32(tag));
    for (const std::string& in : inputs) put(w, 1, in);
    put(w, 2, output);
    put(w, 4, op);
  }

  /// y = (a x + b) x + c, or y = s x + t, in standard operators; `tag` is the node field.
  static void write_body(pbf_writer& w, Op op, const std::vector<std::string>& in,
                         const std::string& y, const std::string& scope, int tag) {
    if (op == Op::ChannelAffine) {
      write_call(w, "Mul", {in[0], in[1]}, scope + "scaled", tag);
      write_call(w, "Add", {scope + "scaled", in[2]}, y, tag);
      return;
    }
    write_call(w, "Mul", {in[0], in[1]}, scope + "ax", tag);
    write_call(w, "Add", {scope + "ax", in[2]}, scope + "ax_b", tag);
    write_call(w, "Mul", {scope + "ax_b", in[0]}, scope + "axx_bx", tag);
    write_call(w, "Add", {scope + "axx_bx", in[3]}, y, tag);
  }

  void write_expanded(pbf_writer& w, const Node& n) {
    std::vector<std::string> in;
    for (ValueId v : n.inputs) in.push_back(names_[v]);
    const std::string y = names_[n.outputs[0]];
    std::string scope = y + "/";
    while (names_taken_.lower_bound(scope) != names_taken_.end() &&
           names_taken_.lower_bound(scope)->rfind(scope, 0) == 0)
      scope += "/";  // no name of the graph begins so
    names_taken_.insert(scope);
    write_body(w, n.op, in, y, scope, 1);
  }

  void write_function(pbf_writer& model, Op op) const {
    const std::vector<std::string> in = op == Op::ChannelAffine
                                            ? std::vector<std::string>{"x", "s", "t"}
                                            : std::vector<std::string>{"x", "a", "b", "c"};
    pbf_writer w(model, 25);
    put(w, 1, name(op));
    for (const std::string& i : in) put(w, 4, i);
    put(w, 5, "y");
    write_body(w, op, in, "y", "", 7);
    write_opset(w, 9, "", opset_);
    put(w, 10, "sinter");
  }

  static void write_opset(pbf_writer& w, int tag, std::string_view domain, i64 version) {
    pbf_writer o(w, u32(tag));
    put(o, 1, domain);
    o.add_int64(2, version);
  }

  static void write_attribute(pbf_writer& node, const std::string& key,
                              const AttributeValue& value) {
    pbf_writer a(node, 5);
    put(a, 1, key);
    struct Visitor {
      pbf_writer& a;
      int operator()(float v) const { return a.add_float(2, v), 1; }
      int operator()(i64 v) const { return a.add_int64(3, v), 2; }
      int operator()(const std::string& v) const { return a.add_bytes(4, v), 3; }
      int operator()(const TensorPtr& v) const {
        return a.add_message(5, onnx::to_proto(*v, "")), 4;
      }
      int operator()(const std::vector<float>& v) const {
        for (float f : v) a.add_float(7, f);
        return 6;
      }
      int operator()(const std::vector<i64>& v) const {
        for (i64 i : v) a.add_int64(8, i);
        return 7;
      }
      int operator()(const std::vector<std::string>& v) const {
        for (const std::string& s : v) a.add_bytes(9, s);
        return 8;
      }
    };
    a.add_enum(20, std::visit(Visitor{a}, value));
  }

  /// Other expressions have no form in ONNX: such a dimension is left out, that is, unknown.
  bool is_symbol(const Dim& d) const {
    const std::string text = d.text();
    return text.find_first_of(" +*()") == std::string::npos && text[0] != '-';
  }

  /// The dimensions to write: the inferred ones; where those have no form, what the file that was
  /// read promised.
  std::optional<Shape> written(std::optional<Shape> inferred,
                               const std::optional<Shape>& declared) const {
    if (!inferred || !declared || inferred->size() != declared->size())
      return inferred ? inferred : declared;
    for (size_t i = 0; i < inferred->size(); ++i) {
      const Dim& d = (*inferred)[i];
      if (!d.value() && !(d.is_known() && is_symbol(d))) (*inferred)[i] = (*declared)[i];
    }
    return inferred;
  }

  void write_value_info(pbf_writer& graph, int tag, const std::string& name, const ValueType& type,
                        const std::optional<Shape>& declared = std::nullopt) {
    pbf_writer v(graph, u32(tag));
    put(v, 1, name);
    pbf_writer t(v, 2);
    pbf_writer tensor(t, 1);
    tensor.add_int32(1, int(type.dtype));
    const std::optional<Shape> shown = written(type.shape, declared);
    if (!shown) return;
    // As texts: a pbf_writer drops a message that stays empty, and an empty shape is a scalar's, an
    // empty dimension an unknown one.
    std::string shape;
    for (const Dim& d : *shown) {
      std::string dim;
      pbf_writer w(dim);
      if (const auto n = d.value())
        w.add_int64(1, *n);
      else if (d.is_known() && (tag == 11 || is_symbol(d)))
        put(w, 2, d.text());
      pbf_writer(shape).add_message(1, dim);
    }
    tensor.add_message(2, shape);
  }

  const Graph& g_;
  const ExportOptions& options_;
  DataFile* data_;
  ValueMap<std::string> names_;
  std::set<std::string> names_taken_;
  std::vector<const GraphOutput*> identities_;
  std::vector<Op> functions_;
  i64 opset_ = 13;
};

}  // namespace

namespace {

void check_size(const Pieces& model, std::string_view what) {
  require(model.size() < i64(1) << 31, ErrorKind::unsupported, what, ": ", model.size(),
          " bytes do not fit one protobuf message (2 GiB); write constants to a data file");
}

}  // namespace

std::vector<std::byte> export_onnx(const Graph& graph, const ExportOptions& options) {
  const Pieces model = Exporter(graph, options, nullptr).run();
  check_size(model, "export");
  std::vector<std::byte> out;
  out.reserve(size_t(model.size()));
  model.each([&](std::span<const std::byte> b) { out.insert(out.end(), b.begin(), b.end()); });
  return out;
}

void export_onnx(const Graph& graph, const std::filesystem::path& path,
                 const ExportOptions& options) {
  std::optional<DataFile> data;
  if (constant_bytes(graph) > options.external_threshold) data.emplace(path.string() + ".data");
  const Pieces model = Exporter(graph, options, data ? &*data : nullptr).run();
  check_size(model, path.string());
  AtomicFile file(path);
  model.each([&](std::span<const std::byte> b) { file.write(b); });
  if (data) data->commit();
  file.commit();
}

}  // namespace sinter
