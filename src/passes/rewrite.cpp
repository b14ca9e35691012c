// SPDX-License-Identifier: Apache-2.0
#include "passes/rewrite.h"

#include <utility>

#include "passes/detail/session.h"

namespace sinter {

Rewrite::Rewrite(Graph& graph, std::string_view rule, std::vector<NodeId> matched) {
  auto* session = dynamic_cast<passes::Session*>(graph.log());
  if (session == nullptr || !session->start_rewrite()) return;
  session_ = session;
  rule_ = rule;
  matched_ = std::move(matched);
}

Rewrite::~Rewrite() {
  if (session_ != nullptr) session_->drop_rewrite();
}

void Rewrite::assumes(std::string_view assumption) {
  if (session_ != nullptr) assumptions_.emplace_back(assumption);
}

bool Rewrite::commit() {
  passes::Session* session = std::exchange(session_, nullptr);
  return session == nullptr ||
         session->finish_rewrite({rule_, matched_, assumptions_, extra_nodes_});
}

}  // namespace sinter
