// SPDX-License-Identifier: Apache-2.0
#include "runtime/executor.h"

#include <cstring>
#include <optional>

#include "base/timer.h"
#include "graph/evaluate.h"
#include "runtime/detail/program_impl.h"

namespace sinter {
namespace {

i64 rounded(i64 bytes) { return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment; }

}  // namespace

struct Executor::Impl {
  Impl(std::shared_ptr<const Program> program, ThreadPool& threads)
      : owner(std::move(program)), p(*owner->impl_), pool(threads) {
    const i64 stride = rounded(p.scratch_bytes);
    arena = std::make_shared<Tensor>(DType::u8, Dims{p.plan.peak_bytes});
    scratch = Tensor(DType::u8, {stride * pool.size()});
    scratch_stride = stride;
    owned.resize(size_t(p.owned_slots));
    seconds.assign(p.steps.size(), 0);
  }

  std::shared_ptr<const Program> owner;
  const Program::Impl& p;
  ThreadPool& pool;
  std::shared_ptr<Tensor> arena;
  Tensor scratch;
  i64 scratch_stride = 0;
  std::vector<Tensor> owned;
  std::span<const Tensor> inputs;
  bool profiling = false;
  std::vector<double> seconds;

  std::byte* in_arena(const Location& at) const { return arena->mutable_raw().data() + at.index; }

  const std::byte* read(ValueId id) const {
    if (!id.valid()) return nullptr;
    const Location& at = p.locations[id];
    switch (at.kind) {
      case Location::Kind::input:
        return inputs[size_t(at.index)].raw().data();
      case Location::Kind::constant:
        return p.graph.constant(at.source)->raw().data();
      case Location::Kind::arena:
        return in_arena(at);
      case Location::Kind::owned:
        return owned[size_t(at.index)].raw().data();
      case Location::Kind::unused:
        break;
    }
    fail(ErrorKind::internal, "executor: value \"", p.graph.value(id).name, "\" has no place");
  }

  /// The value as a tensor to read from, without a copy where that is possible.
  const Tensor* tensor(ValueId id, Tensor& view) const {
    if (!id.valid()) return nullptr;
    const Location& at = p.locations[id];
    const bool is_alias = at.kind == Location::Kind::input
                              ? !p.graph.value(id).is_input
                              : at.kind == Location::Kind::constant && at.source != id;
    if (at.kind == Location::Kind::owned) return &owned[size_t(at.index)];
    if (at.kind == Location::Kind::input && !is_alias) return &inputs[size_t(at.index)];
    if (at.kind == Location::Kind::constant && !is_alias) return p.graph.constant(id);
    const Dims& dims = p.dims[id];
    const DType type = p.graph.dtype(id);
    const size_t bytes = size_t(element_count(dims) * element_size(type));
    view = Tensor::view(type, dims, {read(id), bytes}, arena);
    return &view;
  }

  void run_kernel(const Step& step, const Node& node) {
    std::vector<const std::byte*> in;
    std::vector<std::byte*> out;
    for (ValueId id : node.inputs) in.push_back(read(id));
    for (ValueId id : node.outputs) out.push_back(in_arena(p.locations[id]));
    step.kernel.body({in, out, scratch.mutable_raw().data(), scratch_stride, pool});
  }

  void run_reference(const Step& step, const Node& node) {
    std::vector<Tensor> views(node.inputs.size());
    std::vector<const Tensor*> in;
    for (size_t i = 0; i < node.inputs.size(); ++i) in.push_back(tensor(node.inputs[i], views[i]));
    std::vector<Tensor> out = evaluate_op(node.op, node.attributes, in, std::ssize(node.outputs),
                                          p.graph.describe(step.node));
    for (size_t i = 0; i < out.size() && i < node.outputs.size(); ++i)
      store(step, node.outputs[i], std::move(out[i]));
  }

  void store(const Step& step, ValueId id, Tensor result) {
    const Location& at = p.locations[id];
    if (at.kind == Location::Kind::owned) {
      owned[size_t(at.index)] = result.is_view() ? result.clone() : std::move(result);
      return;
    }
    require(result.dtype() == p.graph.dtype(id) && result.dims() == p.dims[id], ErrorKind::internal,
            p.graph.describe(step.node), ": inference says ", name(p.graph.dtype(id)),
            to_text(p.dims[id]), ", evaluation gave ", name(result.dtype()),
            to_text(result.dims()));
    if (result.byte_size() > 0)
      std::memcpy(in_arena(at), result.raw().data(), size_t(result.byte_size()));
  }

  void check_inputs() const {
    require(inputs.size() == p.inputs.size(), ErrorKind::bad_argument, "run: expected ",
            p.inputs.size(), " inputs, found ", inputs.size());
    std::map<std::string, i64> symbols;
    for (size_t i = 0; i < inputs.size(); ++i)
      check_input(p.graph, p.graph.inputs()[i], inputs[i], symbols);
  }

  std::vector<Tensor> collect() {
    std::vector<Tensor> results;
    for (const GraphOutput& out : p.graph.outputs()) {
      Tensor view;
      results.push_back(tensor(out.value, view)->clone());
    }
    return results;
  }

  std::vector<Tensor> run() {
    check_inputs();
    for (size_t s = 0; s < p.steps.size(); ++s) {
      const Step& step = p.steps[s];
      const Node& node = p.graph.node(step.node);
      std::optional<Timer> timer;
      if (profiling) timer.emplace();
      if (step.kernel.body)
        run_kernel(step, node);
      else
        run_reference(step, node);
      for (i64 slot : step.release) owned[size_t(slot)] = Tensor();
      if (timer) seconds[s] += timer->wall_s();
    }
    return collect();
  }
};

Executor::Executor(std::shared_ptr<const Program> program, ThreadPool& pool) {
  require(program != nullptr, ErrorKind::bad_argument, "Executor: expected a program, found none");
  impl_ = std::make_unique<Impl>(std::move(program), pool);
}
Executor::~Executor() = default;

std::vector<Tensor> Executor::run(std::span<const Tensor> inputs) {
  impl_->inputs = inputs;
  return impl_->run();
}

void Executor::set_profiling(bool on) { impl_->profiling = on; }
const std::vector<double>& Executor::step_seconds() const { return impl_->seconds; }
const Program& Executor::program() const { return *impl_->owner; }

std::vector<Tensor> run_once(const Graph& graph, std::span<const Tensor> inputs) {
  require(inputs.size() == graph.inputs().size(), ErrorKind::bad_argument, "run: expected ",
          graph.inputs().size(), " inputs, found ", inputs.size());
  InputShapes bound;
  for (size_t i = 0; i < inputs.size(); ++i)
    bound.shapes[graph.value(graph.inputs()[i]).name] = inputs[i].dims();
  ThreadPool pool(1);
  return Executor(Program::compile(graph.clone(), bound), pool).run(inputs);
}

}  // namespace sinter
