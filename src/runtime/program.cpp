// SPDX-License-Identifier: Apache-2.0
// Compiling in four walks over the nodes: bind and fold (bind.cpp: types and constants become
// final), lower (aliases and kernels), place (in-place results, lifetimes, the plan), count (the
// report).
#include "runtime/program.h"

#include <algorithm>
#include <set>

#include "runtime/detail/bind.h"
#include "runtime/detail/program_impl.h"
#include "runtime/kernels/table.h"

namespace sinter {
namespace {

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
