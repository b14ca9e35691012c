// SPDX-License-Identifier: Apache-2.0
// A node of an operator that sinter does not know. Its result types are what the file says (the
// importer sets them, Graph::infer leaves them), and it cannot be evaluated.
#include "graph/ops/op.h"

namespace sinter {

void infer_Opaque(InferContext& ctx) {
  for (i64 i = 0; i < ctx.output_count(); ++i) ctx.output(i).dtype = DType::unknown;
}

std::vector<Tensor> evaluate_Opaque(const EvalContext& ctx) {
  fail(ErrorKind::unsupported, ctx.node, ": ",
       ctx.attributes.text(
           "reason", "operator " + ctx.attributes.text("op_type", "?") + " is not supported"));
}

}  // namespace sinter
