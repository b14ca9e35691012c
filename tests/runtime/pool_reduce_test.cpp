// SPDX-License-Identifier: Apache-2.0
// Pools and reductions against the reference.
#include "runtime/kernels/reduce.h"
#include "tests/runtime/support.h"

namespace sinter {
namespace {

using namespace testing_support;

SINTER_ON_EVERY_ISA(ReduceOnIsa);

TEST(Pool, random_windows_match_the_reference) {
  for (u64 seed = base_seed(); seed < base_seed() + 200; ++seed) {
    Rng rng(seed);
    const bool flat = rng.below(4) == 0;
    std::vector<i64> kernel, strides, dilations, pads;
    Dims dims = {1 + rng.below(2), 1 + rng.below(3)};
    for (int axis = 0; axis < (flat ? 1 : 2); ++axis) {
      kernel.push_back(1 + rng.below(4));
      strides.push_back(1 + rng.below(3));
      dilations.push_back(1 + rng.below(2));
      dims.push_back((kernel.back() - 1) * dilations.back() + 1 + rng.below(12));
    }
    for (size_t i = 0; i < 2 * kernel.size(); ++i)
      pads.push_back(rng.below(kernel[i % kernel.size()]));
    Attributes attributes{{"kernel_shape", kernel},
                          {"strides", strides},
                          {"pads", pads},
                          {"ceil_mode", i64(rng.below(2))}};
    SCOPED_TRACE(testing::Message() << "seed " << seed << " " << to_text(dims) << " kernel "
                                    << to_text(kernel) << " pads " << to_text(pads));
    OpCase average{Op::AveragePool, attributes};
    average.attributes.set("count_include_pad", i64(rng.below(2)));
    average.inputs.push_back(random_f32(rng, dims));
    expect_linear(average, active_isa(), double(element_count(kernel) + 1));
    OpCase largest{Op::MaxPool, attributes};
    largest.attributes.set("dilations", dilations);
    largest.inputs.push_back(average.inputs[0].clone());
    expect_identical(largest, active_isa(), 2);
    if (HasFatalFailure()) return;
  }
}

TEST_P(ReduceOnIsa, sums_are_within_their_bound_and_equal_on_every_isa) {
  for (i64 n : {1, 7, 8, 9, 15, 31, 33, 1000}) {
    Rng rng{u64(n)};
    const Tensor x = random_f32(rng, {n});
    double sum = 0, size = 0;
    for (i64 i = 0; i < n; ++i) sum += x.as_double(i), size += std::fabs(x.as_double(i));
    const float got = sum_f32(GetParam(), x.data<float>().data(), n);
    EXPECT_NEAR(got, sum, (double(n) / 8 + 4) * 0x1p-24 * size);
    EXPECT_EQ(got, sum_f32(Isa::scalar, x.data<float>().data(), n));
  }
}

TEST_P(ReduceOnIsa, every_set_of_neighbouring_axes_matches_the_reference) {
  const std::vector<std::vector<i64>> sets = {{},     {0},    {1},       {-1}, {0, 1},
                                              {1, 2}, {2, 3}, {1, 2, 3}, {-2}};
  for (const Dims& dims : {Dims{2, 3, 5, 7}, Dims{3, 1, 1, 2000}, Dims{1, 40, 6, 9}})
    for (const std::vector<i64>& axes : sets)
      for (i64 keep : {0, 1}) {
        SCOPED_TRACE(to_text(dims) + " over " + to_text(axes));
        Rng rng(base_seed());
        const Tensor x = random_f32(rng, dims);
        for (Op op : {Op::ReduceMean, Op::ReduceSum}) {
          OpCase c{op, {{"keepdims", keep}}, {}, {false, true}};
          c.inputs.push_back(x.clone());
          if (!axes.empty())
            c.inputs.push_back(Tensor::of<i64>({std::ssize(axes)}, std::span<const i64>(axes)));
          expect_linear(c, GetParam(), 8 + double(x.size()) / 8);
        }
        if (HasFatalFailure()) return;
      }
}

// A kept axis between reduced ones: the reference, or a kernel that knows the axis has size 1.
TEST_P(ReduceOnIsa, axes_apart_match_the_reference) {
  for (const Dims& dims : {Dims{4, 3, 5, 7}, Dims{4, 1, 5, 1}})
    for (const std::vector<i64>& axes : {std::vector<i64>{0, 2}, {1, 3}, {0, 3}, {-1, 0, 1}}) {
      SCOPED_TRACE(to_text(dims) + " over " + to_text(axes));
      Rng rng(base_seed());
      OpCase c{Op::ReduceMean, {}, {}, {false, true}};
      c.inputs.push_back(random_f32(rng, dims));
      c.inputs.push_back(Tensor::of<i64>({std::ssize(axes)}, std::span<const i64>(axes)));
      ThreadPool pool(1);
      const std::vector<Tensor> inputs = free_inputs(c);
      const Tensor got =
          std::move(Executor(Program::compile(graph_of(c), {}, GetParam()), pool).run(inputs)[0]);
      expect_within(got, run_wide(c)[0], run_wide(c, true)[0], double(c.inputs[0].size()));
    }
}

TEST_P(ReduceOnIsa, global_average_pool_matches_the_reference) {
  for (const Dims& dims : {Dims{2, 3, 5}, Dims{2, 3, 7, 9}, Dims{1, 2, 2, 3, 4}}) {
    Rng rng(base_seed());
    OpCase c{Op::GlobalAveragePool, {}};
    c.inputs.push_back(random_f32(rng, dims));
    expect_linear(c, GetParam(), 16);
  }
}

}  // namespace
}  // namespace sinter
