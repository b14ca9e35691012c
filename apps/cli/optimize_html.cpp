// SPDX-License-Identifier: Apache-2.0
// The report of an optimization as one static page: what it cost and saved, operators before and
// after as bars, a table per pass, and which rewrite removed what.
#include <fmt/format.h>

#include <algorithm>

#include "cli/optimize_report.h"
#include "cli/table.h"

namespace sinter::cli {
namespace {

constexpr std::string_view kStyle = R"(
body{font:15px/1.5 system-ui,sans-serif;color:#1d2430;background:#f6f7f9;margin:0}
main{max-width:68rem;margin:0 auto;padding:2rem 1rem 4rem}
h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.1rem;margin:2.2rem 0 .6rem}
.sub{color:#5c6675}.cards{display:flex;flex-wrap:wrap;gap:.8rem;margin:1.4rem 0}
.card{background:#fff;border:1px solid #dfe3e8;border-radius:8px;padding:.7rem 1rem;min-width:9rem}
.card b{display:block;font-size:1.35rem}.card span{color:#5c6675;font-size:.85rem}
table{border-collapse:collapse;background:#fff;width:100%;font-size:.9rem}
th,td{padding:.3rem .6rem;border-bottom:1px solid #e6e9ed;text-align:left;vertical-align:top}
th{background:#eef1f4;font-weight:600}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.bad{color:#b3261e}.good{color:#1b6e3c}details{margin:.3rem 0}summary{cursor:pointer}
svg text{font:12px system-ui,sans-serif;fill:#1d2430}
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  return out;
}

i64 count_of(const OpHistogram& ops, const std::string& op) {
  const auto it = ops.find(op);
  return it == ops.end() ? 0 : it->second;
}

std::string card(const std::string& value, std::string_view label) {
  return fmt::format("<div class=card><b>{}</b><span>{}</span></div>\n", escaped(value), label);
}

std::string cards(const OptimizeRun& run) {
  const OptimizeReport& r = run.report;
  const double saved =
      r.nodes_before == 0 ? 0
                          : 100.0 * double(r.nodes_before - r.nodes_after) / double(r.nodes_before);
  std::string html = "<div class=cards>\n";
  html += card(fmt::format("{} → {}", count_text(r.nodes_before), count_text(r.nodes_after)),
               fmt::format("nodes (−{:.0f} %)", saved));
  html += card(fmt::format("{} → {}", bytes_text(r.constant_bytes_before),
                           bytes_text(r.constant_bytes_after)),
               "constants");
  html += card(seconds_text((r.ms + r.check_ms + r.verify_ms) / 1e3), "optimizer time");
  html += card(count_text(std::ssize(r.rewrites)), "rewrites");
  html += card(count_text(std::ssize(r.failures)), "undone");
  html += card(fmt::format("{} → {}", run.opset_before, run.opset_after), "opset");
  return html + "</div>\n";
}

/// Two bars an operator, before and after; the longest first.
std::string histogram(const OptimizeReport& r) {
  OpHistogram all = r.ops_before;
  for (const auto& [op, count] : r.ops_after) all[op] = std::max(all[op], count);
  std::vector<std::pair<i64, std::string>> order;
  for (const auto& [op, count] : all) order.emplace_back(-count, op);
  std::sort(order.begin(), order.end());
  constexpr i64 kRow = 30, kLeft = 190, kWidth = 640;
  const i64 most = order.empty() ? 1 : std::max<i64>(1, -order[0].first);
  std::string svg = fmt::format(
      "<svg role=img aria-label=\"nodes by operator, before and after\" width=\"100%\" "
      "viewBox=\"0 0 920 {}\">\n",
      i64(order.size()) * kRow + 30);
  svg +=
      "<rect x=190 y=6 width=12 height=10 fill=\"#b9c3cf\"/><text x=207 y=15>before</text>"
      "<rect x=270 y=6 width=12 height=10 fill=\"#2f6fde\"/><text x=287 y=15>after</text>\n";
  i64 y = 28;
  for (const auto& [minus, op] : order) {
    const i64 before = count_of(r.ops_before, op), after = count_of(r.ops_after, op);
    svg += fmt::format(
        "<text x={} y={} text-anchor=end>{}</text>"
        "<rect x={} y={} width={} height=10 fill=\"#b9c3cf\"/><text x={} y={}>{}</text>"
        "<rect x={} y={} width={} height=10 fill=\"#2f6fde\"/><text x={} y={}>{}</text>\n",
        kLeft - 8, y + 14, escaped(op), kLeft, y, before * kWidth / most,
        kLeft + before * kWidth / most + 5, y + 9, before, kLeft, y + 11, after * kWidth / most,
        kLeft + after * kWidth / most + 5, y + 21, after);
    y += kRow;
  }
  return svg + "</svg>\n";
}

std::string removed_text(const OpHistogram& removed) {
  std::string text;
  for (const auto& [op, count] : removed)
    if (count != 0)
      text += fmt::format("{}{}{} {}", text.empty() ? "" : ", ", count > 0 ? "−" : "+",
                          std::abs(count), op);
  return escaped(text);
}

std::string pass_table(const OptimizeReport& r) {
  std::string html =
      "<table><tr><th>pass<th>exactness<th class=n>rewrites<th class=n>left alone<th class=n>time"
      "<th>nodes</tr>\n";
  for (const PassReport& pass : r.passes)
    if (pass.changed > 0)
      html +=
          fmt::format("<tr><td>{}<td>{}<td class=n>{}<td class=n>{}<td class=n>{}<td>{}</tr>\n",
                      escaped(pass.name), name(pass.exactness), pass.changed, pass.skipped.size(),
                      seconds_text(pass.ms / 1e3), removed_text(pass.removed));
  return html + "</table>\n";
}

/// Rewrites under the rule that made them.
std::string attribution(const OptimizeReport& r) {
  std::map<std::pair<std::string, std::string>, std::vector<const RewriteRecord*>> rules;
  for (const RewriteRecord& record : r.rewrites)
    rules[{record.pass, record.rule}].push_back(&record);
  std::string html;
  for (const auto& [rule, records] : rules) {
    OpHistogram removed;
    for (const RewriteRecord* record : records)
      for (const auto& [op, count] : record->removed) removed[op] += count;
    html += fmt::format("<details><summary><b>{}</b> of {}: {} rewrites, {}</summary><table>\n",
                        escaped(rule.second), escaped(rule.first), records.size(),
                        removed_text(removed));
    for (const RewriteRecord* record : records)
      html += fmt::format(
          "<tr><td>{}<td>{}<td>{}</tr>\n", escaped(record->where), removed_text(record->removed),
          record->checked == Checked::skipped ? "not compared: " + escaped(record->reason)
                                              : "compared, equal");
    html += "</table></details>\n";
  }
  return html;
}

std::string verification(const OptimizeRun& run) {
  if (run.equality.samples == 0)
    return "<p>The whole model was not compared; ask with --verify 12.</p>\n";
  std::string html = fmt::format(
      "<p class={}>{} on {} random inputs, against float64, in {}.</p>\n<table><tr><th>output"
      "<th class=n>error before<th class=n>error after<th class=n>bound<th class=n>largest</tr>\n",
      run.equality.accepted ? "good" : "bad", run.equality.accepted ? "Accepted" : "Refused",
      run.equality.samples, seconds_text(run.equality_s));
  for (const OutputEquality& out : run.equality.outputs)
    html += fmt::format(
        "<tr><td>{}<td class=n>{:.2e}<td class=n>{:.2e}<td class=n>{:.2e}<td class=n>{:.3g}</tr>\n",
        escaped(out.name), out.e0, out.e1, out.bound, out.largest);
  return html + "</table>\n";
}

std::string failures(const OptimizeReport& r) {
  std::string html;
  for (const RewriteFailure& f : r.failures)
    html += fmt::format(
        "<details><summary class=bad>{} of {}: {}</summary><pre>{}\n---\n{}</pre></details>\n",
        escaped(f.rule), escaped(f.pass), escaped(f.reason), escaped(f.before), escaped(f.after));
  return html.empty() ? "" : "<h2>Rewrites that were undone</h2>\n" + html;
}

}  // namespace

std::string to_html(const OptimizeRun& run) {
  std::string html =
      "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n<title>sinter optimize: " +
      escaped(run.model) + "</title>\n<style>" + std::string(kStyle) +
      "</style></head>\n<body><main>\n";
  html += fmt::format("<h1>{}</h1>\n<div class=sub>sinter optimize, profile {}</div>\n",
                      escaped(run.model), escaped(run.profile));
  html += cards(run) + "<h2>Nodes by operator</h2>\n" + histogram(run.report);
  html += "<h2>What each pass did</h2>\n" + pass_table(run.report);
  html += "<h2>Which rewrite removed what</h2>\n" + attribution(run.report);
  html += failures(run.report) + "<h2>Verification</h2>\n" + verification(run);
  for (const auto& [assumption, count] : run.report.assumptions)
    html += fmt::format("<p>{} rewrites assume: {}</p>\n", count, escaped(assumption));
  return html + "</main></body></html>\n";
}

}  // namespace sinter::cli
