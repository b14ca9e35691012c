// SPDX-License-Identifier: Apache-2.0
// The cost model and the choice among whole plans.
#include "encrypted/candidates.h"

#include <algorithm>

#include "encrypted/calibrate.h"
#include "encrypted/choose_plan.h"
#include "encrypted/cost.h"
#include "encrypted/memory.h"
#include "encrypted/serialize.h"
#include "encrypted/stage_noise.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

Graph small_net() {
  NetBuilder b(3, {1, 2, 8, 8});
  const ValueId v = b.block(b.conv(b.at, 4, 3, 1, 1), 8, 2);
  return b.finish(b.gemm(b.flatten(b.average_pool(b.quadratic(v), 4, 4)), 5));
}

/// Everything open, without security, so the smallest ring is possible.
CompileOptions open_options() {
  CompileOptions options = test_options(13);
  options.open = {true, true, true, true, true};
  options.bootstrap = BootstrapChoice::none;
  options.units = built_in_units(Isa::avx2);
  return options;
}

const Candidate* chosen_of(const std::vector<Candidate>& all) {
  const auto it =
      std::find_if(all.begin(), all.end(), [](const Candidate& c) { return c.is_chosen; });
  return it == all.end() ? nullptr : &*it;
}

std::string message_of(const CompileOptions& options) {
  const Graph g = small_net();
  try {
    compile(g, inputs_for(g, 1), options);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::out_of_levels);
    return e.what();
  }
  return "no error";
}

TEST(Work, a_key_switch_takes_the_transforms_of_hybrid_key_switching) {
  const KeySwitching ring{16, 7};
  EXPECT_EQ(ring.digits(27), 4);
  EXPECT_EQ(ring.all(27), 35);
  EXPECT_EQ(switch_work(ring, 27)[Unit::transform], (4 + 2) * 35);
  EXPECT_EQ(switch_work(ring, 27)[Unit::key_product], 4 * 35);
  EXPECT_EQ(switch_work({16, 0}, 3)[Unit::transform], 0);
}

TEST(Work, a_map_grows_with_each_of_its_parts) {
  const KeySwitching ring{15, 4};
  const UnitCosts units = built_in_units(Isa::avx2).at(15);
  const MapShape map{64, 16, 15, 4, 3, 1 << 14};
  const double seconds = units.of(linear_work(ring, 11, map));
  MapShape more = map;
  more.diagonals = 80;
  EXPECT_GT(units.of(linear_work(ring, 11, more)), seconds);
  more = map;
  more.giants = more.giant_sums = 6;
  EXPECT_GT(units.of(linear_work(ring, 11, more)), seconds);
  more = map;
  more.hoisted = more.babies = 20;
  EXPECT_GT(units.of(linear_work(ring, 11, more)), seconds);
  EXPECT_GT(units.of(linear_work(ring, 12, map)), seconds);
  MapShape shorter = map;
  shorter.period = 1 << 10;
  EXPECT_LT(units.of(encode_work(ring, 11, shorter)), units.of(encode_work(ring, 11, map)) / 10);
}

TEST(UnitCosts, a_fit_finds_the_units_that_the_times_were_made_with) {
  const std::array<double, kUnitCount> prior = built_in_units(Isa::avx2).at(14).seconds;
  UnitCosts truth = built_in_units(Isa::avx2).at(14);
  for (size_t u = 0; u < kUnitCount; ++u) truth.seconds[u] *= u % 2 == 0 ? 1.3 : 0.8;
  std::vector<Work> works;
  std::vector<double> seconds;
  for (int level : {3, 8, 15})
    for (const Work& work : {switch_work({14, 5}, level), rescale_work(level),
                             linear_work({14, 5}, level, {32, 8, 7, 4, 3, 1 << 13}, false),
                             linear_work({14, 5}, level, {8, 8, 7, 1, 0, 1 << 13}, false),
                             encode_work({14, 5}, level, {8, 8, 7, 1, 0, 1 << 13})}) {
      works.push_back(work);
      seconds.push_back(truth.of(work));
    }
  UnitCosts found = truth;
  found.seconds = fit_units(works, seconds, prior);
  for (size_t i = 0; i < works.size(); ++i)
    EXPECT_NEAR(found.of(works[i]) / seconds[i], 1, 0.05) << i;
}

TEST(UnitCosts, a_ring_that_was_not_measured_takes_the_nearest) {
  const UnitTable table = built_in_units(Isa::avx2);
  const UnitCosts small = table.at(10), large = table.at(12);
  EXPECT_NEAR(large.of(rescale_work(4)) / small.of(rescale_work(4)), 4.5, 0.5);
  EXPECT_EQ(table.text(), built_in_units(Isa::avx2).text());
  EXPECT_NE(table.text(), built_in_units(Isa::avx512ifma).text());
}

TEST(UnitCosts, two_threads_gain_what_was_measured_and_more_gain_less_each) {
  UnitCosts units = built_in_units(Isa::avx2).at(13);
  units.two_threads.fill(1.6);
  const Work work = switch_work({13, 3}, 5);
  const double one = units.of(work, WorkKind::key_switch, 1);
  EXPECT_DOUBLE_EQ(one, units.of(work));
  EXPECT_NEAR(one / units.of(work, WorkKind::key_switch, 2), 1.6, 1e-9);
  EXPECT_LT(one / units.of(work, WorkKind::key_switch, 4), 2 * 1.6);
}

TEST(StageOps, counts_are_near_those_of_the_assembled_program) {
  const Graph g = patch_net(5, 16, 4, 3);
  const auto inputs = inputs_for(g, 5);
  CompileOptions options = test_options(12);
  options.scheme.log_p = {48, 48, 48};
  const Compiled compiled = compile(g, inputs, options);
  const EncryptedProgram& program = *compiled.program;
  const Planned p = plan_network(g, inputs, 12, options, {});
  const StageOps ops(p.fitted.stages, p.layouts, program.slots());
  const UnitCosts units = options.units.at(12);
  ckks::KeyManifest keys;
  double seconds = 0;
  for (i32 k = 0; k < i32(std::ssize(p.fitted.stages.stages)); ++k) {
    if (p.fitted.stages.stages[size_t(k)].kind == StageKind::input) continue;
    seconds += ops.seconds(k, p.plan.level[size_t(k)] + 1, {12, 3}, units);
    ops.add_keys(k, p.plan.level[size_t(k)] + 1, keys);
  }
  EXPECT_GE(keys.key_count(), program.keys.key_count());
  EXPECT_EQ(keys.relinearisation_level, program.keys.relinearisation_level);
  EXPECT_NEAR(seconds / compiled.explanation.seconds, 1, 0.15);
  options.keys.seconds_per_gigabyte = 0;  // no time given for fewer keys
  EXPECT_NEAR(seconds / compile(g, inputs, options).explanation.seconds, 1, 0.10);
}

TEST(Candidates, open_keys_are_chosen_the_same_way_every_time) {
  const Graph g = small_net();
  const auto inputs = inputs_for(g, 1);
  const Compiled first = compile(g, inputs, open_options());
  const Compiled second = compile(g, inputs, open_options());
  EXPECT_EQ(save_program(*first.program), save_program(*second.program));
  EXPECT_EQ(first.program->metadata.at(kPlanUnits), built_in_units(Isa::avx2).text());
  const Candidate* chosen = chosen_of(first.explanation.candidates);
  ASSERT_NE(chosen, nullptr);
  EXPECT_EQ(chosen->log_n, first.program->params.log_n());
  EXPECT_EQ(chosen->levels, first.explanation.depth);
  // What is chosen for all maps together afterwards makes keys smaller.
  EXPECT_GE(chosen->keys, first.explanation.key_count);
  EXPECT_GE(chosen->key_bytes, first.explanation.key_bytes);
  EXPECT_NEAR(chosen->seconds / first.explanation.seconds, 1, 0.15);
  EXPECT_NEAR(chosen->bits, first.explanation.precision_bits, 1.5);
  for (const Candidate& c : first.explanation.candidates)
    if (c.is_usable()) {
      EXPECT_LE(chosen->seconds, kSameTime * c.seconds) << c.kind();
    }
}

TEST(Candidates, fixed_keys_stay_and_nothing_is_enumerated_for_them) {
  const Graph g = small_net();
  CompileOptions options = test_options(12);
  options.scheme.log_p = {48, 48};
  const Compiled compiled = compile(g, inputs_for(g, 1), options);
  EXPECT_TRUE(compiled.explanation.candidates.empty());
  options.lists_all = true;
  const Explanation e = explain_only(g, inputs_for(g, 1), options, true);
  ASSERT_FALSE(e.candidates.empty());
  for (const Candidate& c : e.candidates) {
    EXPECT_EQ(c.log_n, 12);
    EXPECT_EQ(c.special, 2);
  }
}

TEST(Candidates, the_choice_stays_within_the_memory_budget) {
  const Graph g = small_net();
  CompileOptions options = open_options();
  options.open.log_n = false;
  const Compiled free = compile(g, inputs_for(g, 1), options);
  i64 least = 0;
  for (const Candidate& c : free.explanation.candidates)
    if (c.is_usable() && (least == 0 || c.memory < least)) least = c.memory;
  options.memory_budget = least;
  const Compiled tight = compile(g, inputs_for(g, 1), options);
  EXPECT_EQ(chosen_of(tight.explanation.candidates)->memory, least);
  options.memory_budget = 1000;
  EXPECT_NE(message_of(options).find("GB more than --memory allows"), std::string::npos);
}

TEST(Candidates, without_a_usable_one_the_explanation_cannot_run_and_none_is_marked) {
  CompileOptions options = open_options();
  options.open.log_n = false;
  options.lists_all = true;
  const Graph g = small_net();
  for (const bool is_memory : {true, false}) {
    options.memory_budget = is_memory ? 1000 : 0;
    options.least_bits = is_memory ? 1 : 60;
    const Explanation e = explain_only(g, inputs_for(g, 1), options, true);
    EXPECT_FALSE(e.feasible);
    EXPECT_NE(e.reason.find("no plan is possible"), std::string::npos) << e.reason;
    EXPECT_EQ(chosen_of(e.candidates), nullptr);
  }
}

TEST(Candidates, bootstraps_asked_for_and_not_needed_give_a_plan_or_a_reason) {
  NetBuilder b(4, {1, 1, 4, 4});
  const Graph g = b.finish(b.gemm(b.flatten(b.quadratic(b.conv(b.at, 2, 3, 1, 1))), 3));
  CompileOptions options = open_options();
  options.open.log_n = false;
  options.bootstrap = BootstrapChoice::fast;
  const Compiled compiled = compile(g, inputs_for(g, 1), options);
  const Candidate* chosen = chosen_of(compiled.explanation.candidates);
  ASSERT_NE(chosen, nullptr);
  EXPECT_EQ(chosen->preset, "fast");
  EXPECT_EQ(chosen->bootstraps, 0);
  options.open.log_p = false;
  options.scheme.log_p = {};
  try {
    compile(g, inputs_for(g, 1), options);
    FAIL() << "bootstraps without special primes";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("special primes"), std::string::npos) << e.what();
  }
}

TEST(Candidates, a_plan_that_keeps_too_few_bits_is_refused_with_the_number_missing) {
  CompileOptions options = open_options();
  options.least_bits = 55;
  const std::string text = message_of(options);
  EXPECT_NE(text.find("fewer than asked for"), std::string::npos) << text;
}

Candidate usable_plan(const std::string& preset, double seconds, double bits) {
  Candidate c;
  c.log_n = 16;
  c.preset = preset;
  c.bootstraps = preset.empty() ? 0 : 2;
  c.seconds = seconds;
  c.bits = bits;
  return c;
}

TEST(Candidates, a_plan_refused_after_compiling_and_its_like_give_way_to_the_next) {
  CompileOptions options = open_options();
  options.least_bits = 14;
  std::vector<Candidate> all = {usable_plan("fast", 1, 16.3), usable_plan("fast", 2, 16.1),
                                usable_plan("fast", 3, 18), usable_plan("", 4, 25)};
  const Candidate* first = choose_candidate(all, options);
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->seconds, 1);
  refuse_chosen(all, "found 13.8", 13.8, options);
  const Candidate* second = choose_candidate(all, options);
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->seconds, 3) << "the plan of 2 s would lose 2.5 bits too";
  for (const Candidate& c : all) {
    EXPECT_EQ(c.is_usable(), c.seconds >= 3) << c.seconds;
    EXPECT_EQ(c.was_refused, c.seconds == 1);
    if (c.was_refused) {
      EXPECT_EQ(c.reason, "found 13.8");
      EXPECT_EQ(c.bits, 13.8);
    }
  }
  refuse_chosen(all, "cannot be built", 0, options);
  EXPECT_EQ(choose_candidate(all, options)->preset, "");
  refuse_chosen(all, "cannot be built", 0, options);
  EXPECT_EQ(choose_candidate(all, options), nullptr);
}

TEST(Candidates, a_precise_plan_is_not_told_that_precise_ones_would_help) {
  EXPECT_NE(more_bits_by(usable_plan("fast", 1, 10)).find("precise"), std::string::npos);
  EXPECT_EQ(more_bits_by(usable_plan("precise", 1, 10)).find("precise"), std::string::npos);
  EXPECT_NE(more_bits_by(usable_plan("", 1, 10)).find("log_scale"), std::string::npos);
}

TEST(Candidates,
     when_the_simulation_finds_fewer_bits_than_asked_another_plan_or_a_warning_follows) {
  const Graph g = small_net();
  CompileOptions options = open_options();
  options.bootstrap = BootstrapChoice::fast;
  options.open.log_n = false;
  options.least_bits = 1;
  const Compiled free = compile(g, inputs_for(g, 1), options);
  const double predicted = chosen_of(free.explanation.candidates)->bits;
  const double simulated = free.explanation.precision_bits;
  ASSERT_GT(predicted, simulated);
  options.least_bits = (predicted + simulated) / 2;
  const Compiled next = compile(g, inputs_for(g, 1), options);
  const std::vector<Candidate>& all = next.explanation.candidates;
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const Candidate& c) {
    return c.was_refused && c.reason.find("compiled and simulated") != std::string::npos;
  }));
  ASSERT_NE(chosen_of(all), nullptr);
  const bool holds = next.explanation.precision_bits >= options.least_bits;
  const std::vector<std::string>& notes = next.explanation.notes;
  const bool warns = std::any_of(notes.begin(), notes.end(), [](const std::string& note) {
    return note.find("WARNING") != std::string::npos &&
           note.find("What would help") != std::string::npos;
  });
  EXPECT_NE(holds, warns);
  EXPECT_GE(next.explanation.precision_bits, simulated) << "the best of those tried";
}

TEST(Candidates, bootstrapped_values_too_large_for_the_modulus_are_refused_with_the_layer) {
  CompileOptions options = open_options();
  options.open.log_n = false;
  options.bootstrap = BootstrapChoice::fast;
  options.least_bits = 1;
  options.margin = 0x1p40;
  const std::string text = message_of(options);
  EXPECT_NE(text.find("the modulus is"), std::string::npos) << text;
  EXPECT_NE(text.find("bits short"), std::string::npos) << text;
}

TEST(Candidates, predict_the_memory_that_the_plan_of_the_compiled_program_takes) {
  const Graph g = small_net();
  const Compiled compiled = compile(g, inputs_for(g, 1), open_options());
  const EncryptedProgram& program = *compiled.program;
  const ckks::CkksParams& params = program.params;
  const KeySwitching ring{params.log_n(), std::ssize(params.p())};
  const i64 primes = std::ssize(params.q()) + std::ssize(params.p());
  const MemoryPlan plan = plan_memory(
      program, {i64(1) << 40, resident_bytes(ring, primes, compiled.explanation.stored_bytes), true,
                program.keys, 1, 1});
  const Candidate* chosen = chosen_of(compiled.explanation.candidates);
  ASSERT_NE(chosen, nullptr);
  EXPECT_NEAR(double(chosen->memory) / double(plan.peak_bytes), 1, 0.1);
}

TEST(Candidates, a_plan_of_one_bootstrap_is_listed_or_refused_with_the_levels_it_lacks) {
  const Graph g = patch_net(5, 16, 2, 3);
  CompileOptions options = test_options(12);
  options.scheme.log_p.assign(5, 48);
  options.bootstrap = BootstrapChoice::precise;
  options.lists_all = true;
  options.least_bits = 1;
  const auto find_one = [&] {
    const Explanation e = explain_only(g, inputs_for(g, 5), options, true);
    for (const Candidate& c : e.candidates)
      if (c.bootstraps == 1 && c.packing == Packing::packed) return c;
    return Candidate();
  };
  EXPECT_EQ(find_one().bootstraps, 1);
  EXPECT_TRUE(find_one().is_usable()) << find_one().reason;
  options.scheme.log_q.assign(5, 40);
  options.scheme.log_q[0] = 48;
  const Candidate refused = find_one();
  EXPECT_NE(refused.reason.find("one bootstrap needs"), std::string::npos) << refused.reason;
  EXPECT_NE(refused.reason.find("levels"), std::string::npos) << refused.reason;
}

TEST(Candidates, an_insecure_ring_is_refused_with_the_layer_the_levels_and_what_would_help) {
  CompileOptions options = open_options();
  options.scheme.security = ckks::Security::bits128;
  options.open.log_n = false;  // 2^13: 214 bits
  const std::string text = message_of(options);
  EXPECT_NE(text.find("levels short, first at"), std::string::npos) << text;
  EXPECT_NE(text.find("log_n = 14"), std::string::npos) << text;
}

TEST(Candidates, small_rings_without_room_are_listed_without_being_packed) {
  const Graph g = small_net();
  CompileOptions options = open_options();
  options.scheme.security = ckks::Security::bits128;
  const Explanation e = explain_only(g, inputs_for(g, 1), options, true);
  const Candidate* chosen = chosen_of(e.candidates);
  ASSERT_NE(chosen, nullptr);
  EXPECT_EQ(chosen->log_n, 14);
  const auto refused = std::find_if(e.candidates.begin(), e.candidates.end(),
                                    [](const Candidate& c) { return c.log_n == 13; });
  ASSERT_NE(refused, e.candidates.end());
  EXPECT_NE(refused->reason.find("levels short"), std::string::npos);
}

}  // namespace
}  // namespace sinter::encrypted::testing
