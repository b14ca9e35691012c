// SPDX-License-Identifier: Apache-2.0
#include "encrypted/choose_plan.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>

namespace sinter::encrypted {
namespace {

/// The usable candidate, or the first of the largest ring.
const Candidate& nearest(const std::vector<Candidate>& all) {
  const auto chosen =
      std::find_if(all.begin(), all.end(), [](const Candidate& c) { return c.is_chosen; });
  return chosen != all.end() ? *chosen : all.front();
}

Decided decide_bootstraps(const Planned& p, const CompileOptions& options, PlacementGoal goal,
                          const std::string& without) {
  const Packed packed{p.fitted.stages, p.layouts, p.measured.ranges};
  const StageOps counts(p.fitted.stages, p.layouts, i64(1) << (options.scheme.log_n - 1));
  const BootstrapCandidate best =
      choose_bootstraps(packed, counts, options.scheme, options.bootstrap,
                        options.units.at(options.scheme.log_n), goal);
  const std::string found = "with bootstraps (" + best.preset + ") " + best.reason;
  require(best.is_usable(), ErrorKind::out_of_levels,
          without.empty() ? "compile: " + found : without + "; " + found);
  return {insert_candidate(packed, best, options.margin),
          ckks::CkksParams::check(best.chain.params),
          best.preset + ", " + std::to_string(best.chain.levels_left) + " levels left"};
}

}  // namespace

Planned plan_network(const Graph& model, std::span<const Tensor> calibration, i64 log_n,
                     const CompileOptions& options, const Progress& progress) {
  std::vector<MergeRecord> merges;
  Planned p{bind_and_fuse(model, false), bind_and_fuse(model, true, &merges), {}, {}, {}, {}, {}};
  const i64 slots = i64(1) << (log_n - 1);
  p.fitted = fit(p.fused, slots, options.pay_for_affine, options.packing);
  std::vector<MergeRecord>& all = p.fitted.stages.merges;
  all.insert(all.begin(), merges.begin(), merges.end());
  p.images = calibration_images(p.fitted.stages.input_dims, calibration);
  p.layouts = lay_out(p.fitted.stages, slots);
  p.plan = plan_levels(p.fitted.stages);
  p.measured = measure(p.fitted.stages, p.network, p.fused, p.images, progress);
  SchemeOptions scheme = options.scheme;
  scheme.log_n = log_n;
  const double bits = balance_measured(p.fitted.stages, p.measured, p.images, scheme);
  if (bits > 0) {
    char text[96];
    std::snprintf(text, sizeof text,
                  "channels held at sizes of their own, by powers of two: about %.1f bits", bits);
    p.fitted.stages.notes.push_back(text);
  }
  return p;
}

/// Networks planned so far, by packing and ring.
class PlanChoice::Packings {
 public:
  Packings(const Graph& model, std::span<const Tensor> calibration, const CompileOptions& options,
           const Progress& progress)
      : model_(model), calibration_(calibration), options_(options), progress_(progress) {}

  const PackedNet& packed(Packing packing, i64 log_n) { return known(packing, log_n).net; }
  std::shared_ptr<const Planned> planned(i64 log_n) {
    return known(packing_of(options_), log_n).planned;
  }
  /// Forgets all others; who asks for one again waits for it again.
  void keep_only(i64 log_n) {
    const std::pair kept(packing_of(options_), log_n);
    std::erase_if(known_, [&](const auto& entry) { return entry.first != kept; });
  }

 private:
  struct Known {
    std::shared_ptr<const Planned> planned;
    PackedNet net;
  };

  const Known& known(Packing packing, i64 log_n) {
    const auto it = known_.find({packing, log_n});
    if (it != known_.end()) return it->second;
    CompileOptions options = options_;
    options.packing.join_branches = packing == Packing::packed;
    auto planned = std::make_shared<const Planned>(
        plan_network(model_, calibration_, log_n, options, progress_));
    const auto image = planned->images[0].data<float>();
    PackedNet net{packing,
                  log_n,
                  planned->fitted.members > 1,
                  planned->fitted.stages,
                  planned->layouts,
                  planned->measured.ranges,
                  std::vector<double>(image.begin(), image.end())};
    return known_.emplace(std::pair(packing, log_n), Known{std::move(planned), std::move(net)})
        .first->second;
  }

  const Graph& model_;
  std::span<const Tensor> calibration_;
  const CompileOptions& options_;
  const Progress& progress_;
  std::map<std::pair<Packing, i64>, Known> known_;
};

PlanChoice::PlanChoice(const Graph& model, std::span<const Tensor> calibration,
                       const CompileOptions& options, const Progress& progress, bool may_fail)
    : asked_(options),
      packings_(std::make_unique<Packings>(model, calibration, asked_, progress)),
      options_(options) {
  if (!asked_.open.any() && !asked_.lists_all) {
    planned_ = packings_->planned(options_.scheme.log_n);
    return;
  }
  candidates_ = plan_candidates(asked_, [&](Packing packing, i64 log_n) -> const PackedNet& {
    return packings_->packed(packing, log_n);
  });
  const Candidate& best = nearest(candidates_);
  if (asked_.open.any() && !best.is_chosen)
    why_not_ = "compile: no plan is possible: " + why_none(candidates_);
  require(why_not_.empty() || may_fail, ErrorKind::out_of_levels, why_not_);
  take(best);
}

PlanChoice::~PlanChoice() = default;

void PlanChoice::take(const Candidate& candidate) {
  tried_.push_back(candidate);
  if (asked_.open.any()) {
    options_.scheme = scheme_of(candidate, asked_.scheme);
    options_.open = {};
    options_.bootstrap = candidate.preset.empty()     ? BootstrapChoice::none
                         : candidate.preset == "fast" ? BootstrapChoice::fast
                                                      : BootstrapChoice::precise;
    goal_ = candidate.has_fewest_bootstraps ? PlacementGoal::fewest_bootstraps
                                            : PlacementGoal::least_seconds;
  }
  planned_ = packings_->planned(options_.scheme.log_n);
  packings_->keep_only(options_.scheme.log_n);
}

bool PlanChoice::refuse(const std::string& reason, double bits) {
  const bool is_chosen = std::any_of(candidates_.begin(), candidates_.end(),
                                     [](const Candidate& c) { return c.is_chosen; });
  if (!asked_.open.any() || !is_chosen) return false;
  refuse_chosen(candidates_, reason, bits, asked_);
  if (std::ssize(tried_) == kMostTries) return false;
  const Candidate* next = choose_candidate(candidates_, asked_);
  if (next != nullptr) take(*next);
  return next != nullptr;
}

void PlanChoice::settle_for(i64 number) {
  if (!asked_.open.any() || !why_not_.empty()) return;
  const Candidate candidate = tried_.at(size_t(number));
  take(candidate);
  for (Candidate& c : candidates_) c.is_chosen = is_same_plan(c, candidate);
}

Decided decide(const Planned& p, const CompileOptions& options, PlacementGoal goal) {
  std::string without;
  const bool is_fixed =
      options.bootstrap == BootstrapChoice::fast || options.bootstrap == BootstrapChoice::precise;
  if (!is_fixed) {
    try {
      return {{p.fitted.stages, p.layouts, p.measured.ranges, p.plan},
              parameters_for(options.scheme, p.fitted.stages, p.plan),
              {}};
    } catch (const Error& error) {
      if (options.bootstrap == BootstrapChoice::none || error.kind() != ErrorKind::out_of_levels)
        throw;
      without = error.what();
    }
  }
  return decide_bootstraps(p, options, goal, without);
}

}  // namespace sinter::encrypted
