// SPDX-License-Identifier: Apache-2.0
#include "passes/certificate.h"

#include <algorithm>

namespace sinter {
namespace {

Exactness exactness_of(const OptimizeReport& report, const std::string& pass) {
  for (const PassReport& row : report.passes)
    if (row.name == pass) return row.exactness;
  return Exactness::e2;  // nothing is promised
}

CertifiedRule& rule_of(const RewriteRecord& rewrite, const OptimizeReport& report,
                       std::vector<CertifiedRule>& rules) {
  for (CertifiedRule& rule : rules)
    if (rule.pass == rewrite.pass && rule.rule == rewrite.rule) return rule;
  rules.push_back({rewrite.pass, rewrite.rule, exactness_of(report, rewrite.pass)});
  return rules.back();
}

}  // namespace

Certificate certify(const OptimizeReport& report, const EqualityReport& equality) {
  Certificate certificate;
  for (const RewriteRecord& rewrite : report.rewrites) {
    CertifiedRule& rule = rule_of(rewrite, report, certificate.rules);
    ++rule.rewrites;
    rule.equal += rewrite.checked == Checked::equal;
    rule.known += rewrite.checked == Checked::known;
    rule.skipped += rewrite.checked == Checked::skipped;
    certificate.exactness = std::max(certificate.exactness, rule.exactness);
  }
  certificate.original.nodes = report.nodes_before;
  certificate.optimized.nodes = report.nodes_after;
  certificate.assumptions = report.assumptions;
  certificate.rolled_back = std::ssize(report.failures);
  certificate.converged = report.converged;
  certificate.equality = equality;
  return certificate;
}

}  // namespace sinter
