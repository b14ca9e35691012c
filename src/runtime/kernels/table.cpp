// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernels/table.h"

#include "runtime/kernels/channel.h"
#include "runtime/kernels/conv.h"
#include "runtime/kernels/elementwise.h"
#include "runtime/kernels/gemm.h"
#include "runtime/kernels/move.h"
#include "runtime/kernels/pool.h"
#include "runtime/kernels/reduce.h"

namespace sinter {
namespace {

constexpr DType kAny = DType::none;

constexpr KernelRow kRows[] = {
    {Op::Conv, DType::f32, "conv_f32", prepare_conv},
    {Op::Gemm, DType::f32, "gemm_f32", prepare_gemm},
    {Op::MatMul, DType::f32, "matmul_f32", prepare_matmul},
    {Op::ChannelQuadratic, DType::f32, "channel_quadratic_f32", prepare_channel_quadratic},
    {Op::ChannelAffine, DType::f32, "channel_affine_f32", prepare_channel_affine},
    {Op::BatchNormalization, DType::f32, "channel_affine_f32", prepare_batch_normalization},
    {Op::Add, DType::f32, "add_f32", prepare_binary<BinaryOp::add>},
    {Op::Sub, DType::f32, "sub_f32", prepare_binary<BinaryOp::sub>},
    {Op::Mul, DType::f32, "mul_f32", prepare_binary<BinaryOp::mul>},
    {Op::Div, DType::f32, "div_f32", prepare_binary<BinaryOp::div>},
    {Op::Pow, DType::f32, "pow_f32", prepare_binary<BinaryOp::pow>},
    {Op::Relu, DType::f32, "relu_f32", prepare_unary<UnaryOp::relu>},
    {Op::LeakyRelu, DType::f32, "leaky_relu_f32", prepare_unary<UnaryOp::leaky_relu>},
    {Op::Clip, DType::f32, "clip_f32", prepare_unary<UnaryOp::clip>},
    {Op::Neg, DType::f32, "neg_f32", prepare_unary<UnaryOp::neg>},
    {Op::Abs, DType::f32, "abs_f32", prepare_unary<UnaryOp::abs>},
    {Op::Sqrt, DType::f32, "sqrt_f32", prepare_unary<UnaryOp::sqrt>},
    {Op::Exp, DType::f32, "exp_f32", prepare_unary<UnaryOp::exp>},
    {Op::Log, DType::f32, "log_f32", prepare_unary<UnaryOp::log>},
    {Op::Sigmoid, DType::f32, "sigmoid_f32", prepare_unary<UnaryOp::sigmoid>},
    {Op::Tanh, DType::f32, "tanh_f32", prepare_unary<UnaryOp::tanh>},
    {Op::Softmax, DType::f32, "softmax_f32", prepare_softmax},
    {Op::MaxPool, DType::f32, "max_pool_f32", prepare_max_pool},
    {Op::AveragePool, DType::f32, "average_pool_f32", prepare_average_pool},
    {Op::GlobalAveragePool, DType::f32, "reduce_f32", prepare_global_average_pool},
    {Op::ReduceMean, DType::f32, "reduce_f32", prepare_reduce_mean},
    {Op::ReduceSum, DType::f32, "reduce_f32", prepare_reduce_sum},
    {Op::Transpose, kAny, "copy", prepare_transpose},
    {Op::Concat, kAny, "copy", prepare_concat},
    {Op::Split, kAny, "copy", prepare_split},
    {Op::Slice, kAny, "copy", prepare_slice},
    {Op::Expand, kAny, "copy", prepare_expand},
    {Op::Pad, kAny, "copy", prepare_pad},
    {Op::Gather, kAny, "copy", prepare_gather},
};

}  // namespace

std::span<const KernelRow> kernel_table() { return kRows; }

ChosenKernel choose_kernel(const KernelSite& site) {
  for (const KernelRow& row : kRows) {
    if (row.op != site.node.op || site.types.empty()) continue;
    if (row.dtype != kAny && row.dtype != site.types[0]) continue;
    PreparedKernel kernel = row.prepare(site);
    if (kernel.body) return {std::move(kernel), row.name};
  }
  return {};
}

}  // namespace sinter
