// SPDX-License-Identifier: Apache-2.0
// The report of an optimization as one static page: what it cost and saved, operators before and
// after as bars, a table per pass, and which rewrite removed what.
#include <fmt/format.h>

#include <algorithm>

#include "cli/html.h"
#include "cli/optimize_report.h"
#include "cli/table.h"

namespace sinter::cli {
namespace {

i64 count_of(const OpHistogram& ops, const std::string& op) {
  const auto it = ops.find(op);
  return it == ops.end() ? 0 : it->second;
}

std::string cards(const OptimizeRun& run) {
  const OptimizeReport& r = run.report;
  const double saved =
      r.nodes_before == 0 ? 0
                          : 100.0 * double(r.nodes_before - r.nodes_after) / double(r.nodes_before);
  html::Cards cards;
  cards.add(fmt::format("{} → {}", count_text(r.nodes_before), count_text(r.nodes_after)),
            fmt::format("nodes (−{:.0f} %)", saved));
  cards.add(fmt::format("{} → {}", bytes_text(r.constant_bytes_before),
                        bytes_text(r.constant_bytes_after)),
            "constants");
  cards.add(seconds_text((r.ms + r.check_ms + r.verify_ms) / 1e3), "optimizer time");
  cards.add(count_text(std::ssize(r.rewrites)), "rewrites");
  cards.add(count_text(std::ssize(r.failures)), "undone");
  cards.add(fmt::format("{} → {}", run.opset_before, run.opset_after), "opset");
  return cards.text();
}

/// Two bars an operator, before and after; the longest first.
std::string histogram(const OptimizeReport& r) {
  OpHistogram all = r.ops_before;
  for (const auto& [op, count] : r.ops_after) all[op] = std::max(all[op], count);
  std::vector<std::pair<i64, std::string>> order;
  for (const auto& [op, count] : all) order.emplace_back(-count, op);
  std::sort(order.begin(), order.end());
  std::vector<std::string> labels;
  html::Series before{"before", {}}, after{"after", {}};
  for (const auto& [minus, op] : order) {
    labels.push_back(op);
    before.values.push_back(double(count_of(r.ops_before, op)));
    after.values.push_back(double(count_of(r.ops_after, op)));
  }
  return html::bars("nodes by operator",
                    fmt::format("{} nodes before, {} after; the operators in the order of their "
                                "number",
                                r.nodes_before, r.nodes_after),
                    labels, {before, after}, [](double v) { return count_text(i64(v)); });
}

std::string removed_text(const OpHistogram& removed) {
  std::string text;
  for (const auto& [op, count] : removed)
    if (count != 0)
      text += fmt::format("{}{}{} {}", text.empty() ? "" : ", ", count > 0 ? "−" : "+",
                          std::abs(count), op);
  return text;
}

std::string pass_table(const OptimizeReport& r) {
  html::Table table({"<pass", "<exactness", "rewrites", "left alone", "time", "<nodes"});
  for (const PassReport& pass : r.passes)
    if (pass.changed > 0)
      table.add({pass.name, std::string(name(pass.exactness)), std::to_string(pass.changed),
                 std::to_string(pass.skipped.size()), seconds_text(pass.ms / 1e3),
                 removed_text(pass.removed)});
  return table.text();
}

/// Rewrites under the rule that made them.
std::string attribution(const OptimizeReport& r) {
  std::map<std::pair<std::string, std::string>, std::vector<const RewriteRecord*>> rules;
  for (const RewriteRecord& record : r.rewrites)
    rules[{record.pass, record.rule}].push_back(&record);
  std::string text;
  for (const auto& [rule, records] : rules) {
    OpHistogram removed;
    html::Table table({"<where", "<nodes", "<checked"});
    for (const RewriteRecord* record : records) {
      for (const auto& [op, count] : record->removed) removed[op] += count;
      table.add({record->where, removed_text(record->removed),
                 record->checked == Checked::skipped ? "not compared: " + record->reason
                                                     : "compared, equal"});
    }
    text += html::details(fmt::format("{} of {}: {} rewrites, {}", rule.second, rule.first,
                                      records.size(), removed_text(removed)),
                          table.text());
  }
  return text;
}

std::string verification(const OptimizeRun& run) {
  if (run.equality.samples == 0)
    return html::paragraph("The whole model was not compared; ask with --verify 12.");
  html::Table table({"<output", "error before", "error after", "bound", "largest"});
  for (const OutputEquality& out : run.equality.outputs)
    table.add({out.name, fmt::format("{:.2e}", out.e0), fmt::format("{:.2e}", out.e1),
               fmt::format("{:.2e}", out.bound), fmt::format("{:.3g}", out.largest)});
  return html::paragraph(fmt::format("{} on {} random inputs, against float64, in {}.",
                                     run.equality.accepted ? "Accepted" : "Refused",
                                     run.equality.samples, seconds_text(run.equality_s)),
                         run.equality.accepted ? "good" : "bad") +
         table.text();
}

std::string failures(const OptimizeReport& r) {
  std::string text;
  for (const RewriteFailure& f : r.failures)
    text += html::details(
        fmt::format("{} of {}: {}", f.rule, f.pass, f.reason),
        "<pre>" + html::escaped(f.before) + "\n---\n" + html::escaped(f.after) + "</pre>\n", "bad");
  return text.empty() ? "" : html::heading("Rewrites that were undone") + text;
}

}  // namespace

std::string to_html(const OptimizeRun& run) {
  std::string body = cards(run) + html::heading("Nodes by operator") + histogram(run.report);
  body += html::heading("What each pass did") + pass_table(run.report);
  body += html::heading("Which rewrite removed what") + attribution(run.report);
  body += failures(run.report) + html::heading("Verification") + verification(run);
  for (const auto& [assumption, count] : run.report.assumptions)
    body += html::paragraph(fmt::format("{} rewrites assume: {}", count, assumption));
  return html::page(run.model, "sinter optimize, profile " + run.profile, body);
}

}  // namespace sinter::cli
