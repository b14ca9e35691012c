// SPDX-License-Identifier: Apache-2.0
// Baby counts chosen for a whole program: the value stays, keys get fewer as they weigh more, and
// nothing is lost when they weigh nothing.
#include "encrypted/choose_babies.h"

#include "encrypted/check.h"
#include "encrypted/serialize.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

const UnitCosts& units() {
  static const UnitCosts of_ring = built_in_units(Isa::avx2).at(11);
  return of_ring;
}

/// Maps of several kinds of diagonals.
const EncryptedProgram& sample() {
  static const std::shared_ptr<const EncryptedProgram> program = [] {
    const Graph g = patch_net(40, 16, 4, 5);
    return compile(g, inputs_for(g, 40), test_options(11)).program;
  }();
  return *program;
}

double seconds(const EncryptedProgram& p) {
  double sum = 0;
  for (i64 k = 0; k < std::ssize(p.instructions); ++k) sum += cost_of(p, k, units()).seconds;
  return sum;
}
i64 key_bytes(const EncryptedProgram& p) { return needed_keys(p).bytes(p.params); }

EncryptedProgram chosen(double seconds_per_gigabyte, bool may_use_horner = false) {
  EncryptedProgram p = sample();
  choose_babies(p, units(), {seconds_per_gigabyte, may_use_horner});
  p.keys = needed_keys(p);
  check(p);
  return p;
}

TEST(ChooseBabies, keys_get_fewer_and_time_longer_as_they_weigh_more) {
  EncryptedProgram before = chosen(0);
  EXPECT_LE(seconds(before), seconds(sample()) + 1e-6);
  for (double weight : {0.1, 1.0, 10.0, 1000.0}) {
    const EncryptedProgram p = chosen(weight);
    // what was chosen is worth it, measured from where the search began
    EXPECT_LE(seconds(p) + weight * 1e-9 * double(key_bytes(p)),
              seconds(sample()) + weight * 1e-9 * double(key_bytes(sample())) + 1e-6);
    before = p;
  }
  EXPECT_LT(key_bytes(before), key_bytes(chosen(0)));
}

TEST(ChooseBabies, horner_comes_only_when_it_is_allowed_and_saves_keys) {
  const auto horner_count = [](const EncryptedProgram& p) {
    return std::count_if(p.maps.begin(), p.maps.end(),
                         [](const LinearMap& m) { return m.form == ckks::GiantForm::horner; });
  };
  const EncryptedProgram separate = chosen(1000), horner = chosen(1000, true);
  EXPECT_EQ(horner_count(separate), 0);
  EXPECT_GT(horner_count(horner), 0);
  EXPECT_LT(key_bytes(horner), key_bytes(separate));
  const auto loaded = load_program(save_program(horner), "net");
  EXPECT_EQ(loaded->maps, horner.maps);
}

TEST(ChooseBabies, the_program_computes_what_it_did) {
  Rng rng(test_seed(41));
  std::vector<std::vector<double>> input(sample().input_elements.size());
  for (auto& slots : input) {
    slots.resize(size_t(sample().slots()));
    for (double& v : slots) v = rng.normal();
  }
  const std::vector<double> expected = simulate(sample(), input);
  for (const EncryptedProgram& p : {chosen(0), chosen(10), chosen(1000, true)})
    EXPECT_EQ(simulate(p, input), expected);  // without noise the order of the sums is the map's
}

TEST(ChooseBabies, the_choice_is_deterministic_and_stays_where_it_is_best) {
  const EncryptedProgram once = chosen(1);
  EncryptedProgram twice = once;
  choose_babies(twice, units(), {1, false});
  EXPECT_EQ(twice.maps, once.maps);
  EXPECT_EQ(chosen(1).maps, once.maps);
}

TEST(ChooseBabies, a_negative_weight_is_refused) {
  EncryptedProgram p = sample();
  EXPECT_THROW(choose_babies(p, units(), {-1, false}), Error);
}

}  // namespace
}  // namespace sinter::encrypted::testing
