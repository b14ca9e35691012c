// SPDX-License-Identifier: Apache-2.0
// The certificate of an optimized model as JSON.
#include "passes/certificate.h"

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "cli/optimize_report.h"
#include "passes/fingerprint.h"

namespace sinter::cli {
namespace {

/// Null where nothing was written.
nlohmann::ordered_json model_json(const CertifiedModel& model) {
  nlohmann::ordered_json json = {{"sha256", nullptr},
                                 {"fingerprint", model.fingerprint},
                                 {"opset", model.opset},
                                 {"nodes", model.nodes}};
  if (!model.file_sha256.empty()) json["sha256"] = model.file_sha256;
  return json;
}

nlohmann::ordered_json rules_json(const std::vector<CertifiedRule>& rules) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const CertifiedRule& rule : rules)
    rows.push_back({{"pass", rule.pass},
                    {"rule", rule.rule},
                    {"exactness", name(rule.exactness)},
                    {"rewrites", rule.rewrites},
                    {"equal", rule.equal},
                    {"known", rule.known},
                    {"skipped", rule.skipped}});
  return rows;
}

nlohmann::ordered_json json_of(const Certificate& certificate) {
  nlohmann::ordered_json json = {{"certificate", 1},
                                 {"original", model_json(certificate.original)},
                                 {"optimized", model_json(certificate.optimized)},
                                 {"profile", certificate.profile},
                                 {"exactness", name(certificate.exactness)},
                                 {"rules", rules_json(certificate.rules)},
                                 {"assumptions", certificate.assumptions},
                                 {"rolled_back", certificate.rolled_back},
                                 {"converged", certificate.converged},
                                 {"verification", nullptr}};
  if (certificate.equality.samples > 0) {
    json["verification"] = to_json(certificate.equality);
    json["verification"]["seed"] = certificate.seed;
  }
  return json;
}

}  // namespace

std::string file_sha256(const std::string& path) {
  return hex(sha256(MappedFile::open(path)->bytes()));
}

nlohmann::ordered_json certificate_json(const OptimizeRun& run, const Graph& original,
                                        const Graph& optimized) {
  Certificate certificate = certify(run.report, run.equality);
  certificate.original.file_sha256 = run.model_sha256;
  certificate.original.fingerprint = fingerprint(original);
  certificate.original.opset = run.opset_before;
  if (!run.output.empty()) certificate.optimized.file_sha256 = file_sha256(run.output);
  certificate.optimized.fingerprint = fingerprint(optimized);
  certificate.optimized.opset = run.opset_after;
  certificate.profile = run.profile;
  certificate.seed = run.seed;
  return json_of(certificate);
}

}  // namespace sinter::cli
