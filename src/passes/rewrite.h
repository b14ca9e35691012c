// SPDX-License-Identifier: Apache-2.0
// One rewrite inside a pass, from match to commit.
//
//   Rewrite rewrite(graph, "conv_batchnorm", {conv, batchnorm});
//   ... edit the graph ...
//   if (rewrite.commit()) ++stats.changed;
//
// When the graph is being optimized (graph.log()), the edits between construction and commit() are
// recorded; commit() infers the touched nodes again, checks the structure, and compares what the
// edited part computed before and computes now on small random inputs (check_rewrite.h). An edit
// that fails, or that is switched off, is undone to the last name and id and commit() returns
// false. A Rewrite that is destroyed without commit(), by an exception for example, is undone too.
// Without a log it costs nothing and commit() returns true.
//
// - `matched` are the nodes whose meaning the rewrite relies on: everything that the pattern looked
//   at, also what stays in place (the node that a duplicate is merged into).
// - After a false commit() the same match would come again: leave it (`continue`), do not loop.
//   Ids of nodes and values added since the construction are no longer valid then.
// - A rewrite inside another one is part of it; its commit() returns true.
// - A rewrite may not leave more nodes than it found, bodies included, unless may_add_nodes().
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.h"

namespace sinter {

namespace passes {
class Session;
}

class Rewrite {
 public:
  /// `rule` is a word for reports and for switching the rule off, snake_case.
  Rewrite(Graph& graph, std::string_view rule, std::vector<NodeId> matched);
  ~Rewrite();
  Rewrite(const Rewrite&) = delete;
  Rewrite& operator=(const Rewrite&) = delete;

  /// Allows `count` nodes more than before.
  void may_add_nodes(i64 count) { extra_nodes_ = count; }
  /// States an assumption that the result rests on: "signed_zero", "nonempty", "ties". Counted in
  /// the report when the edit stands.
  void assumes(std::string_view assumption);
  /// True when the edit stands.
  bool commit();

 private:
  passes::Session* session_ = nullptr;  // nullptr: not recorded, or inside another rewrite
  std::string rule_;
  std::vector<NodeId> matched_;
  std::vector<std::string> assumptions_;
  i64 extra_nodes_ = 0;
};

}  // namespace sinter
