// SPDX-License-Identifier: Apache-2.0
#include "ckks/context.h"

#include "ckks/detail/embedding.h"
#include "ring/rns.h"

namespace sinter::ckks {

std::shared_ptr<const Context> Context::create(const CkksParams& params) {
  return std::shared_ptr<const Context>(new Context(params));
}

Context::Context(const CkksParams& params)
    : params_(params),
      ring_(std::make_unique<ring::RnsRing>(params.n(), params.q(), params.p())),
      embedding_(std::make_unique<EmbeddingTables>(params.slots())) {}

Context::~Context() = default;

}  // namespace sinter::ckks
