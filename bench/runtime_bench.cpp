// SPDX-License-Identifier: Apache-2.0
// The float32 runtime: single operators and the pcnn-fashion model, fused and as exported. Each row
// carries the ratio to the reference loops of graph/ops, measured in the same run ("x_reference",
// CPU time on one thread; other jobs on the machine slow both alike).
#include <benchmark/benchmark.h>

#include <ctime>
#include <filesystem>

#include "base/random.h"
#include "graph/evaluate.h"
#include "onnx/import.h"
#include "passes/pipeline.h"
#include "runtime/executor.h"
#include "runtime/kernels/conv.h"

namespace sinter {
namespace {

double thread_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

Tensor random_f32(Rng& rng, Dims dims) {
  Tensor t(DType::f32, std::move(dims));
  for (float& v : t.mutable_data<float>()) v = float(rng.normal());
  return t;
}

/// Runs `body` until a quarter of a second has passed; the seconds of the fastest call.
template <class Body>
double fastest(const Body& body) {
  double best = 1e30;
  const double start = thread_seconds();
  do {
    const double before = thread_seconds();
    body();
    best = std::min(best, thread_seconds() - before);
  } while (thread_seconds() - start < 0.25);
  return best;
}

/// `graph` on `inputs`; `flops` and `images` of one run for the rates, 0 = none.
void bench_graph(benchmark::State& state, const Graph& graph, const std::vector<Tensor>& inputs,
                 Isa isa, double flops, double images) {
  InputShapes shapes;
  for (size_t i = 0; i < inputs.size(); ++i)
    shapes.shapes[graph.value(graph.inputs()[i]).name] = inputs[i].dims();
  const auto program = Program::compile(graph.clone(), shapes, isa);
  ThreadPool pool(1);
  Executor executor(program, pool);
  const double reference = fastest([&] { evaluate(graph, inputs); });
  const double own = fastest([&] { executor.run(inputs); });
  for (auto _ : state) benchmark::DoNotOptimize(executor.run(inputs).data());
  state.counters["x_reference"] = reference / own;
  if (flops > 0) state.counters["GFLOPS"] = flops / own * 1e-9;
  if (images > 0) state.counters["ms_per_image"] = own / images * 1e3;
  if (images > 0) state.counters["arena_KiB"] = double(program->memory().arena_bytes) / 1024;
}

void conv_3x3(benchmark::State& state, Isa isa) {
  Rng rng(1);
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{1, 64, 56, 56});
  g.add_output("y", g.add(Op::Conv,
                          {x, g.add_constant(random_f32(rng, {64, 64, 3, 3})),
                           g.add_constant(random_f32(rng, {64}))},
                          {{"pads", std::vector<i64>{1, 1, 1, 1}}}));
  std::vector<Tensor> inputs;
  inputs.push_back(random_f32(rng, {1, 64, 56, 56}));
  bench_graph(state, g, inputs, isa, 2.0 * 64 * 64 * 9 * 56 * 56, 0);
}

/// One way of convolving, to set the bounds of prefers_direct().
void conv_way(benchmark::State& state, const ConvShape& s, bool direct) {
  Rng rng(1);
  const Tensor x = random_f32(rng, {s.batch, s.groups * s.channels, s.in_h, s.in_w});
  const Tensor w = random_f32(rng, {s.groups * s.filters, s.channels, s.kernel_h, s.kernel_w});
  const auto plan =
      direct ? plan_conv_direct(s, w.data<float>().data(), active_isa()) : plan_conv_im2col(s);
  Tensor y(DType::f32, {s.batch, s.groups * s.filters, s.out_h, s.out_w});
  Tensor scratch(DType::u8, {plan->scratch_bytes() + 64});
  ThreadPool pool(1);
  const auto run = [&] {
    plan->run(pool, x.data<float>().data(), w.data<float>().data(), nullptr,
              y.mutable_data<float>().data(), scratch.mutable_raw().data(), 0);
  };
  const double own = fastest(run);
  for (auto _ : state) run();
  state.counters["GFLOPS"] =
      2e-9 * double(s.batch * s.groups * s.filters * s.out_plane() * s.depth()) / own;
}

void gemm_512(benchmark::State& state) {
  Rng rng(1);
  Graph g;
  const ValueId x = g.add_input("x", DType::f32, Shape{512, 512});
  g.add_output("y", g.add(Op::Gemm, {x, g.add_constant(random_f32(rng, {512, 512}))}));
  std::vector<Tensor> inputs;
  inputs.push_back(random_f32(rng, {512, 512}));
  bench_graph(state, g, inputs, active_isa(), 2.0 * 512 * 512 * 512, 0);
}

void channel_quadratic(benchmark::State& state, Isa isa) {
  Rng rng(1);
  Graph g;
  ValueId x = g.add_input("x", DType::f32, Shape{1, 64, 32, 32});
  std::vector<ValueId> operands = {x};
  for (int i = 0; i < 3; ++i) operands.push_back(g.add_constant(random_f32(rng, {64, 1, 1})));
  g.add_output("y", g.add(Op::ChannelQuadratic, operands));
  std::vector<Tensor> inputs;
  inputs.push_back(random_f32(rng, {1, 64, 32, 32}));
  bench_graph(state, g, inputs, isa, 4.0 * 64 * 32 * 32, 0);
}

void pcnn(benchmark::State& state, bool fused, i64 batch) {
  const std::filesystem::path model =
      std::filesystem::path(SINTER_SOURCE_DIR) / "models/pcnn-fashion/model.onnx";
  Graph g = import_onnx(model);
  OptimizeOptions options;
  options.rules.profile = Profile::fhe;
  if (fused) optimize(g, options);
  Rng rng(1);
  std::vector<Tensor> inputs;
  inputs.push_back(random_f32(rng, {batch, 1, 32, 32}));
  bench_graph(state, g, inputs, active_isa(), 0, double(batch));
}

[[maybe_unused]] const bool registered = [] {
  const auto add = [](const std::string& title, const auto& run) {
    benchmark::RegisterBenchmark(title.c_str(), run)->Unit(benchmark::kMicrosecond);
  };
  for (Isa isa : runnable_isas()) {
    const std::string suffix = "/" + std::string(name(isa));
    add("conv_3x3_64x64_56x56" + suffix, [=](benchmark::State& s) { conv_3x3(s, isa); });
    add("channel_quadratic_64x32x32" + suffix,
        [=](benchmark::State& s) { channel_quadratic(s, isa); });
  }
  add("gemm_512", gemm_512);
  // channels and filters, size, kernel
  const i64 shapes[][3] = {{1, 16, 3},  {8, 8, 3},    {8, 16, 3},   {16, 8, 3},   {64, 14, 3},
                           {64, 56, 3}, {128, 28, 3}, {256, 14, 3}, {512, 7, 3},  {512, 7, 1},
                           {8, 16, 1},  {64, 14, 1},  {64, 56, 1},  {256, 14, 1}, {16, 4, 3},
                           {128, 4, 3}, {512, 4, 3},  {64, 2, 3},   {512, 2, 3}};
  for (const auto& [channels, size, kernel] : shapes)
    for (bool direct : {true, false}) {
      ConvShape s;
      s.batch = 4, s.channels = s.filters = channels;
      s.in_h = s.in_w = s.out_h = s.out_w = size;
      s.kernel_h = s.kernel_w = kernel, s.pad_top = s.pad_left = kernel / 2;
      add("conv_" + std::to_string(kernel) + "x" + std::to_string(kernel) + "_" +
              std::to_string(channels) + "_" + std::to_string(size) +
              (direct ? "/direct" : "/im2col"),
          [=](benchmark::State& state) { conv_way(state, s, direct); });
    }
  for (bool fused : {false, true})
    for (i64 batch : {1, 100})
      add(std::string("pcnn_fashion_") + (fused ? "fused" : "unfused") + "/" +
              std::to_string(batch),
          [=](benchmark::State& s) { pcnn(s, fused, batch); });
  return true;
}();

}  // namespace
}  // namespace sinter

BENCHMARK_MAIN();
