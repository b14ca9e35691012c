// SPDX-License-Identifier: Apache-2.0
// Compiling in four walks over the nodes: bind and fold (types and constants become final), lower
// (aliases and kernels), place (in-place results, lifetimes, the plan), count (the report).
#include "runtime/program.h"

#include <algorithm>
#include <set>

#include "graph/evaluate.h"
#include "runtime/detail/program_impl.h"
#include "runtime/kernels/table.h"

namespace sinter {
namespace {

constexpr i64 kLargestFold = i64(64) << 20;  // bytes; larger results are computed in every run

// -- bind ----------------------------------------------------------------------------------------

void bind_symbol(std::map<std::string, i64>& symbols, const std::string& symbol, i64 size) {
  require(size >= 1, ErrorKind::bad_argument, "compile: symbol ", symbol,
          ": expected a size of at least 1, found ", size);
  const auto [it, fresh] = symbols.emplace(symbol, size);
  require(fresh || it->second == size, ErrorKind::bad_argument, "compile: symbol ", symbol,
          " is bound to ", it->second, " and to ", size);
}

/// Reads the full shapes: fills `symbols` from them and returns the inputs' shapes.
void bind_shape(const Value& input, const Dims& dims, std::map<std::string, i64>& symbols) {
  if (!input.type.shape) return;
  const Shape& shape = *input.type.shape;
  require(shape.size() == dims.size(), ErrorKind::bad_argument, "compile: input \"", input.name,
          "\": expected shape ", to_text(shape), ", found ", to_text(dims));
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (const std::optional<i64> number = shape[axis].value())
      require(*number == dims[axis], ErrorKind::bad_argument, "compile: input \"", input.name,
              "\": expected shape ", to_text(shape), ", found ", to_text(dims));
    else if (shape[axis].is_known())
      bind_symbol(symbols, shape[axis].text(), dims[axis]);
  }
}

void bind_inputs(Graph& graph, const InputShapes& bound) {
  std::map<std::string, i64> symbols;
  for (const auto& [symbol, size] : bound.symbols) bind_symbol(symbols, symbol, size);
  std::set<std::string> inputs, known;
  for (ValueId id : graph.inputs()) {
    const Value& input = graph.value(id);
    inputs.insert(input.name);
    if (const auto it = bound.shapes.find(input.name); it != bound.shapes.end())
      bind_shape(input, it->second, symbols);
    if (!input.type.shape) continue;
    for (const Dim& dim : *input.type.shape)
      if (dim.is_known() && !dim.value()) known.insert(dim.text());
  }
  for (const auto& entry : bound.shapes)
    require(inputs.count(entry.first) > 0, ErrorKind::bad_argument,
            "compile: the graph has no input \"", entry.first, "\"");
  for (const auto& entry : bound.symbols)
    require(known.count(entry.first) > 0, ErrorKind::bad_argument,
            "compile: no input has a dimension \"", entry.first, "\"");
  for (ValueId id : graph.inputs()) {
    const ValueType type = graph.value(id).type;
    if (const auto it = bound.shapes.find(graph.value(id).name); it != bound.shapes.end()) {
      element_count(it->second);
      graph.set_input_type(id, type.dtype, to_shape(it->second));
      continue;
    }
    if (!type.shape) continue;
    Shape shape = *type.shape;
    for (Dim& dim : shape)
      if (const auto size = symbols.find(dim.text()); dim.is_known() && size != symbols.end())
        dim = Dim(size->second);
    graph.set_input_type(id, type.dtype, std::move(shape));
  }
}

// -- fold ----------------------------------------------------------------------------------------

std::optional<Tensor> known_content(const Value& value) {
  if (!value.type.dims || !value.type.shape || value.type.dtype != DType::i64) return std::nullopt;
  const std::optional<std::vector<i64>> dims = static_dims(*value.type.shape);
  if (!dims) return std::nullopt;
  std::vector<i64> content;
  for (const Dim& dim : *value.type.dims) {
    if (!dim.value()) return std::nullopt;
    content.push_back(*dim.value());
  }
  if (element_count(*dims) != std::ssize(content)) return std::nullopt;
  return Tensor::of<i64>(*dims, content);
}

bool outputs_are_small(const Graph& graph, const Node& node) {
  for (ValueId out : node.outputs) {
    const std::optional<Shape>& shape = graph.shape(out);
    const std::optional<std::vector<i64>> dims = shape ? static_dims(*shape) : std::nullopt;
    if (!dims || element_count(*dims) * element_size(graph.dtype(out)) > kLargestFold) return false;
  }
  return true;
}

/// Infers in order and replaces what binding made constant. Folded nodes stay, unread.
void infer_and_fold(Graph& graph) {
  for (NodeId id : graph.topological_order()) {
    graph.infer(id);
    const Node node = graph.node(id);
    std::vector<const Tensor*> inputs;
    bool constant = true;
    for (ValueId in : node.inputs) {
      inputs.push_back(graph.constant(in));
      constant = constant && (!in.valid() || inputs.back() != nullptr);
    }
    for (ValueId out : node.outputs)
      if (std::optional<Tensor> content = known_content(graph.value(out)))
        graph.replace_uses(out, graph.add_constant(std::move(*content)));
    if (!constant || !outputs_are_small(graph, node)) continue;
    std::vector<Tensor> results;
    try {
      results = evaluate_op(node.op, node.attributes, inputs, std::ssize(node.outputs),
                            graph.describe(id));
    } catch (const Error&) {
      continue;  // the same error comes from the run, if the run gets there
    }
    for (size_t i = 0; i < results.size() && i < node.outputs.size(); ++i)
      graph.replace_uses(node.outputs[i], graph.add_constant(std::move(results[i])));
  }
}

/// The nodes that an output needs, depth first: a branch is finished before the next one begins, so
/// that less is live at a time than in the order of the ids.
std::vector<NodeId> needed_nodes(const Graph& graph) {
  std::vector<NodeId> order, path;
  NodeMap<char> seen, done;
  for (const GraphOutput& out : graph.outputs()) {
    path.push_back(graph.value(out.value).producer);
    while (!path.empty()) {
      const NodeId node = path.back();
      if (!node.valid() || done[node]) {
        path.pop_back();
        continue;
      }
      if (seen[node]) {  // its inputs are done
        done[node] = 1;
        order.push_back(node);
        path.pop_back();
        continue;
      }
      seen[node] = 1;
      const std::vector<ValueId>& inputs = graph.node(node).inputs;
      for (auto in = inputs.rbegin(); in != inputs.rend(); ++in)
        if (in->valid()) path.push_back(graph.value(*in).producer);
    }
  }
  return order;
}

// -- lower ---------------------------------------------------------------------------------------

/// Dropout is the identity unless a constant or run-time input says training.
bool is_alias(const Graph& graph, const Node& node) {
  switch (node.op) {
    case Op::Reshape:
    case Op::Flatten:
    case Op::Squeeze:
    case Op::Unsqueeze:
    case Op::Identity:
      return true;
    case Op::Dropout: {
      if (node.outputs.size() > 1) return false;
      if (node.inputs.size() < 3 || !node.inputs[2].valid()) return true;
      const Tensor* training = graph.constant(node.inputs[2]);
      return training != nullptr && training->as_int(0) == 0;
    }
    default:
      return false;
  }
}

class Compiler {
 public:
  explicit Compiler(Program::Impl& program) : p_(program) {}

  void run() {
    if (const i64 bound = p_.graph.value_bound(); bound > 0) {  // no table grows under a reference
      const ValueId last{i32(bound - 1)};
      p_.locations[last], p_.dims[last], alias_of_[last], last_use_[last];
    }
    describe_ports();
    for (NodeId node : needed_nodes(p_.graph)) lower(node);
    place();
    count();
  }

 private:
  bool is_static(ValueId id) const {
    const Value& v = p_.graph.value(id);
    return element_size(v.type.dtype) > 0 && v.type.shape && static_dims(*v.type.shape).has_value();
  }

  void describe_ports() {
    const Graph& g = p_.graph;
    for (size_t i = 0; i < g.inputs().size(); ++i) {
      const ValueId id = g.inputs()[i];
      p_.inputs.push_back(port(g.value(id).name, id));
      p_.locations[id] = {Location::Kind::input, i64(i), {}};
      note_dims(id);
    }
    for (ValueId id : g.constants()) {
      p_.locations[id] = {Location::Kind::constant, -1, id};
      note_dims(id);
    }
    for (const GraphOutput& out : g.outputs()) p_.outputs.push_back(port(out.name, out.value));
  }

  ProgramPort port(const std::string& name, ValueId id) const {
    ProgramPort port{name, p_.graph.dtype(id), {}};
    if (const std::optional<Shape>& shape = p_.graph.shape(id))
      for (const Dim& dim : *shape) port.dims.push_back(dim.value().value_or(-1));
    return port;
  }

  void note_dims(ValueId id) {
    if (is_static(id)) p_.dims[id] = *static_dims(*p_.graph.shape(id));
  }

  ValueId root(ValueId id) const {
    while (alias_of_[id].valid()) id = alias_of_[id];
    return id;
  }

  void lower(NodeId id) {
    const Node& node = p_.graph.node(id);
    for (ValueId out : node.outputs) note_dims(out);
    if (is_alias(p_.graph, node) && is_static(node.inputs[0]) && is_static(node.outputs[0]) &&
        node.outputs.size() == 1) {
      alias_of_[node.outputs[0]] = node.inputs[0];
      ++p_.memory.aliased;
      return;
    }
    Step step{id, {}, "reference", {}};
    if (takes_kernels(node)) {
      ChosenKernel chosen = choose_kernel(site(id));
      step.kernel = std::move(chosen.kernel);
      step.kernel_name = chosen.name;
    }
    p_.scratch_bytes = std::max(p_.scratch_bytes, step.kernel.scratch_bytes);
    p_.steps.push_back(std::move(step));
  }

  /// Kernels see shapes that are numbers and tensors that are not empty.
  bool takes_kernels(const Node& node) const {
    for (const std::vector<ValueId>* list : {&node.inputs, &node.outputs})
      for (ValueId v : *list)
        if (v.valid() && (!is_static(v) || element_count(p_.dims[v]) == 0)) return false;
    return true;
  }

  KernelSite site(NodeId id) const {
    const Node& node = p_.graph.node(id);
    KernelSite s{p_.graph, node, p_.graph.describe(id), {}, {}, {}, p_.isa};
    for (ValueId v : node.inputs) {
      s.inputs.push_back(v.valid() ? p_.dims[v] : Dims{});
      s.types.push_back(v.valid() ? p_.graph.dtype(v) : DType::none);
    }
    for (ValueId v : node.outputs) s.outputs.push_back(p_.dims[v]);
    return s;
  }

  // -- place -------------------------------------------------------------------------------------

  void place() {
    const i64 steps = std::ssize(p_.steps);
    for (i64 s = 0; s < steps; ++s)
      for (ValueId in : p_.graph.node(p_.steps[size_t(s)].node).inputs)
        if (in.valid()) last_use_[root(in)] = s;
    for (const GraphOutput& out : p_.graph.outputs()) last_use_[root(out.value)] = steps;

    for (i64 s = 0; s < steps; ++s) {
      Step& step = p_.steps[size_t(s)];
      const Node& node = p_.graph.node(step.node);
      for (size_t i = 0; i < node.outputs.size(); ++i) place_output(step, s, node.outputs[i], i);
    }
    p_.plan = plan_memory(requests_);
    verify_plan(requests_, p_.plan);
    for (ValueId id : p_.graph.values()) {
      Location& at = p_.locations[id];
      if (at.kind == Location::Kind::arena) at.index = p_.plan.offsets[size_t(at.index)];
    }
    for (ValueId id : p_.graph.values())
      if (alias_of_[id].valid()) p_.locations[id] = p_.locations[root(id)];
  }

  void place_output(Step& step, i64 s, ValueId out, size_t number) {
    const i64 last = std::max(s, last_use_[out]);
    if (!is_static(out)) {
      p_.locations[out] = {Location::Kind::owned, p_.owned_slots++, {}};
      if (last < std::ssize(p_.steps))
        p_.steps[size_t(last)].release.push_back(p_.locations[out].index);
      return;
    }
    if (number == 0) {
      if (const ValueId host = dying_input(step, s, out); host.valid()) {
        const i64 buffer = p_.locations[host].index;
        requests_[size_t(buffer)].last = last;
        p_.locations[out] = {Location::Kind::arena, buffer, {}};
        ++p_.memory.in_place;
        return;
      }
    }
    const i64 bytes = element_count(p_.dims[out]) * element_size(p_.graph.dtype(out));
    p_.locations[out] = {Location::Kind::arena, std::ssize(requests_), {}};
    requests_.push_back({bytes, s, last});
  }

  /// The value over whose buffer `out` may be written, or an invalid id.
  ValueId dying_input(const Step& step, i64 s, ValueId out) const {
    const Node& node = p_.graph.node(step.node);
    const std::vector<i64>& allowed = step.kernel.may_overwrite;
    for (i64 candidate : allowed) {
      const ValueId host = root(node.inputs[size_t(candidate)]);
      const Location& at = p_.locations[host];
      if (at.kind != Location::Kind::arena || last_use_[host] != s) continue;
      if (p_.graph.dtype(host) != p_.graph.dtype(out)) continue;
      bool alone = true;  // every reader of the buffer in this node reads it element by element
      for (i64 i = 0; i < std::ssize(node.inputs); ++i) {
        const ValueId in = node.inputs[size_t(i)];
        if (in.valid() && root(in) == host)
          alone = alone && std::count(allowed.begin(), allowed.end(), i) > 0;
      }
      if (alone) return host;
    }
    return {};
  }

  // -- count -------------------------------------------------------------------------------------

  void count() {
    std::set<ValueId> constants;
    for (const Step& step : p_.steps) {
      p_.memory.constant_bytes += step.kernel.packed_bytes;
      for (ValueId in : p_.graph.node(step.node).inputs)
        if (p_.graph.constant(in) != nullptr && constants.insert(in).second)
          p_.memory.constant_bytes += p_.graph.constant(in)->byte_size();
    }
    p_.memory.arena_bytes = p_.plan.peak_bytes;
    p_.memory.sum_bytes = p_.plan.sum_bytes;
    p_.memory.lower_bound = p_.plan.lower_bound;
    p_.memory.dynamic_values = p_.owned_slots;
  }

  Program::Impl& p_;
  ValueMap<ValueId> alias_of_;
  ValueMap<i64> last_use_{-1};
  std::vector<BufferRequest> requests_;
};

}  // namespace

Program::Program(std::unique_ptr<const Impl> impl) : impl_(std::move(impl)) {}
Program::~Program() = default;

std::shared_ptr<const Program> Program::compile(Graph graph, const InputShapes& bound, Isa isa) {
  auto impl = std::make_unique<Impl>();
  impl->graph = std::move(graph);
  impl->isa = isa;
  bind_inputs(impl->graph, bound);
  infer_and_fold(impl->graph);
  Compiler(*impl).run();
  return std::shared_ptr<const Program>(new Program(std::move(impl)));
}

const std::vector<ProgramPort>& Program::inputs() const { return impl_->inputs; }
const std::vector<ProgramPort>& Program::outputs() const { return impl_->outputs; }
bool Program::is_static() const { return impl_->owned_slots == 0; }
const ProgramMemory& Program::memory() const { return impl_->memory; }
const Graph& Program::graph() const { return impl_->graph; }

std::vector<StepInfo> Program::steps() const {
  std::vector<StepInfo> infos;
  for (const Step& step : impl_->steps)
    infos.push_back({impl_->graph.describe(step.node), impl_->graph.node(step.node).op,
                     std::string(step.kernel_name)});
  return infos;
}

}  // namespace sinter
