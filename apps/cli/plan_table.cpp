// SPDX-License-Identifier: Apache-2.0
#include "cli/plan_table.h"

#include <fmt/format.h>

#include "cli/table.h"

namespace sinter::cli {
namespace {

using encrypted::Candidate;

constexpr size_t kShownUsable = 2, kShownOthers = 1;  // of one kind and ring; others if alone

bool is_same_group(const Candidate& a, const Candidate& b) {
  return a.log_n == b.log_n && a.kind() == b.kind();
}

std::string secret_text(const Candidate& c) {
  return c.secret == ckks::SecretKind::ternary ? "ternary" : "sparse";
}

std::string special_text(const Candidate& c) {
  return c.log_special > 0 ? fmt::format("{} x {}", c.special, c.log_special)
                           : std::to_string(c.special);
}

/// A ring that has no line in the table of secure parameters has no limit.
std::string modulus_text(const Candidate& c) {
  return c.log2_qp_limit > 0 ? fmt::format("{:.0f} of {:.0f}", c.log2_qp, c.log2_qp_limit)
                             : fmt::format("{:.0f}", c.log2_qp);
}

std::string mark_text(const Candidate& c) { return c.is_chosen ? "*" : c.was_refused ? "x" : ""; }

void add_row(Table& table, const Candidate& c) {
  if (c.seconds == 0) {  // refused before it was costed
    table.add({mark_text(c), c.kind(), fmt::format("2^{}", c.log_n), std::to_string(c.levels),
               c.log_scale == 0 ? "" : std::to_string(c.log_scale),
               c.special == 0 ? "" : special_text(c), c.log_scale == 0 ? "" : secret_text(c),
               c.log2_qp == 0 ? "" : modulus_text(c), "", "", "", "", "", ""});
    return;
  }
  table.add({mark_text(c), c.kind(), fmt::format("2^{}", c.log_n), std::to_string(c.levels),
             std::to_string(c.log_scale), special_text(c), secret_text(c), modulus_text(c),
             fmt::format("{}, {}", c.keys, bytes_text(c.key_bytes)), bytes_text(c.plaintext_bytes),
             bytes_text(c.memory), seconds_text(c.seconds), seconds_text(c.seconds_two),
             c.bits > 0 ? fmt::format("{:.1f}", c.bits) : ""});
}

}  // namespace

std::string plan_text(const std::vector<Candidate>& candidates) {
  Table table({"<", "<plan", "N", "levels", "scale", "special", "<secret", "log2 QP", "keys",
               "diagonals", "memory", "1 thread", "2 threads", "bits"});
  std::string reasons;
  size_t usable = 0, others = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& c = candidates[i];
    if (i == 0 || !is_same_group(c, candidates[i - 1])) usable = others = 0;
    size_t& shown = c.is_usable() ? usable : others;
    ++shown;
    const bool is_near =
        shown <= (c.is_usable() ? kShownUsable : kShownOthers) && (c.is_usable() || usable == 0);
    if (!is_near && !c.is_chosen && !c.was_refused) continue;
    add_row(table, c);
    if (c.is_usable()) continue;
    reasons += fmt::format(
        "not usable  {}, N = 2^{}{}: {}\n", c.kind(), c.log_n,
        c.special > 0 ? fmt::format(", {} special prime{}", c.special, c.special == 1 ? "" : "s")
                      : "",
        printable(c.reason));
  }
  return table.text() +
         fmt::format(
             "{} candidates, the best of each kind shown. * chosen, x compiled and then refused\n"
             "levels: of a chain, with bootstraps those between two; scale, special: bits of "
             "primes;\n"
             "keys, diagonals: in memory, diagonals if all were encoded ahead; memory: peak of "
             "infer\n"
             "with all keys; 1 and 2 threads: one image, predicted; bits: precision of the "
             "result\n{}",
             candidates.size(), reasons);
}

nlohmann::ordered_json plan_json(const std::vector<Candidate>& candidates) {
  auto list = nlohmann::ordered_json::array();
  for (const Candidate& c : candidates)
    list.push_back({{"plan", c.kind()},
                    {"chosen", c.is_chosen},
                    {"usable", c.is_usable()},
                    {"refused_when_compiled", c.was_refused},
                    {"reason", c.reason},
                    {"packing", c.packing == encrypted::Packing::packed ? "packed" : "separate"},
                    {"log_n", c.log_n},
                    {"levels", c.levels},
                    {"bootstraps", c.bootstraps},
                    {"preset", c.preset},
                    {"log_scale", c.log_scale},
                    {"log_q0", c.log_q0},
                    {"special_primes", c.special},
                    {"secret", secret_text(c)},
                    {"log2_qp", c.log2_qp},
                    {"log2_qp_limit", c.log2_qp_limit},
                    {"keys", c.keys},
                    {"key_bytes", c.key_bytes},
                    {"key_file_bytes", c.key_file_bytes},
                    {"plaintext_bytes", c.plaintext_bytes},
                    {"ciphertext_bytes", c.ciphertext_bytes},
                    {"memory_bytes", c.memory},
                    {"predicted_seconds", c.seconds},
                    {"predicted_seconds_two_threads", c.seconds_two},
                    {"first_image_seconds", c.first_seconds},
                    {"predicted_precision_bits", c.bits}});
  return list;
}

}  // namespace sinter::cli
