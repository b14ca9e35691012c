// SPDX-License-Identifier: Apache-2.0
#include "encrypted/choose_plan.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>

namespace sinter::encrypted {
namespace {

/// Networks planned so far, by packing and ring.
class Packings {
 public:
  Packings(const Graph& model, std::span<const Tensor> calibration, const CompileOptions& options,
           const Progress& progress)
      : model_(model), calibration_(calibration), options_(options), progress_(progress) {}

  const PackedNet& packed(Packing packing, i64 log_n) {
    const auto [it, fresh] = known_.try_emplace({packing, log_n});
    if (fresh) {
      CompileOptions options = options_;
      options.packing.join_branches = packing == Packing::packed;
      try {
        it->second.planned = plan_network(model_, calibration_, log_n, options, progress_);
      } catch (...) {
        known_.erase(it);
        throw;
      }
      const Planned& p = *it->second.planned;
      const auto image = p.images[0].data<float>();
      it->second.net = {packing,
                        log_n,
                        p.fitted.members > 1,
                        p.fitted.stages,
                        p.layouts,
                        p.measured.ranges,
                        std::vector<double>(image.begin(), image.end())};
    }
    return it->second.net;
  }
  Planned take(i64 log_n) {
    const Packing packing = packing_of(options_);
    packed(packing, log_n);
    return std::move(*known_.at({packing, log_n}).planned);
  }

 private:
  struct Known {
    std::optional<Planned> planned;
    PackedNet net;
  };
  const Graph& model_;
  std::span<const Tensor> calibration_;
  const CompileOptions& options_;
  const Progress& progress_;
  std::map<std::pair<Packing, i64>, Known> known_;
};

/// The usable candidate, or the first of the largest ring.
const Candidate& nearest(const std::vector<Candidate>& all) {
  const auto chosen =
      std::find_if(all.begin(), all.end(), [](const Candidate& c) { return c.is_chosen; });
  return chosen != all.end() ? *chosen : all.front();
}

Decided decide_bootstraps(const Planned& p, const CompileOptions& options,
                          const std::string& without) {
  const Packed packed{p.fitted.stages, p.layouts, p.measured.ranges};
  const StageOps counts(p.fitted.stages, p.layouts, i64(1) << (options.scheme.log_n - 1));
  const BootstrapCandidate best = choose_bootstraps(
      packed, counts, options.scheme, options.bootstrap, options.units.at(options.scheme.log_n));
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

ChosenPlan choose_plan(const Graph& model, std::span<const Tensor> calibration,
                       const CompileOptions& options, const Progress& progress, bool may_fail) {
  Packings packings(model, calibration, options, progress);
  ChosenPlan chosen{{}, options, {}};
  if (options.open.any() || options.lists_all) {
    chosen.candidates =
        plan_candidates(options, [&](Packing packing, i64 log_n) -> const PackedNet& {
          return packings.packed(packing, log_n);
        });
    const Candidate& best = nearest(chosen.candidates);
    require(best.is_chosen || may_fail || !options.open.any(), ErrorKind::out_of_levels,
            "compile: no plan is possible: ", why_none(chosen.candidates));
    if (options.open.any()) {
      chosen.options.scheme = scheme_of(best, options.scheme);
      chosen.options.open = {};
      chosen.options.bootstrap = best.preset.empty()     ? BootstrapChoice::none
                                 : best.preset == "fast" ? BootstrapChoice::fast
                                                         : BootstrapChoice::precise;
    }
  }
  chosen.planned = packings.take(chosen.options.scheme.log_n);
  return chosen;
}

Decided decide(const Planned& p, const CompileOptions& options) {
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
  return decide_bootstraps(p, options, without);
}

}  // namespace sinter::encrypted
