// SPDX-License-Identifier: Apache-2.0
// The independent check catches every kind of tampering; the saved form comes back as it was, and
// damaged bytes are errors and nothing else.
#include <cstring>

#include "base/hash.h"
#include "encrypted/check.h"
#include "encrypted/serialize.h"
#include "tests/encrypted/nets.h"

namespace sinter::encrypted::testing {
namespace {

const EncryptedProgram& sample() {
  static const std::shared_ptr<const EncryptedProgram> program = [] {
    NetBuilder b(700, {1, 1, 8, 8});
    ValueId v = b.block(b.conv(b.at, 2, 3, 1, 1), 4, 2);
    v = b.graph.add(Op::Mul, {v, b.conv(v, 4, 1, 1, 0)});
    const Graph g = b.finish(b.gemm(b.flatten(b.quadratic(v)), 3));
    CompileOptions options = test_options(11);
    options.metadata = {{"input.scale", "2"}, {"labels", "a,b,c"}};
    return compile(g, inputs_for(g, 700), options).program;
  }();
  return *program;
}

i64 first(Opcode op) {
  const auto& all = sample().instructions;
  for (size_t k = 0; k < all.size(); ++k)
    if (all[k].op == op) return i64(k);
  ADD_FAILURE() << "no " << name(op);
  return 0;
}

/// check() must refuse the program after `change`, with `part` in the message.
template <class Change>
void expect_caught(const char* part, const Change& change) {
  EncryptedProgram p = sample();
  change(p);
  try {
    check(p);
    ADD_FAILURE() << "not caught: " << part;
  } catch (const Error& e) {
    EXPECT_EQ(int(e.kind()), int(ErrorKind::bad_input)) << e.what();
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos)
        << "\"" << part << "\" is not in: " << e.what();
  }
}

TEST(Check, accepts_what_compile_makes) { EXPECT_NO_THROW(check(sample())); }

TEST(Check, catches_levels_scales_and_periods_that_do_not_follow) {
  for (Opcode op : {Opcode::linear, Opcode::rescale, Opcode::square, Opcode::add_vector}) {
    const size_t k = size_t(first(op));
    expect_caught("level", [k](EncryptedProgram& p) { --p.instructions[k].level; });
    expect_caught("scale", [k](EncryptedProgram& p) { p.instructions[k].scale *= 1 + 1e-8; });
    expect_caught("period", [k](EncryptedProgram& p) { p.instructions[k].period *= 2; });
  }
  const size_t linear = size_t(first(Opcode::linear));
  expect_caught("scale", [=](EncryptedProgram& p) { p.instructions[linear].plain_scale *= 1.5; });
  expect_caught("plaintext scale",
                [=](EncryptedProgram& p) { p.instructions[linear].plain_scale = 0; });
  expect_caught("scale", [](EncryptedProgram& p) { p.instructions[0].scale *= 2; });
}

TEST(Check, catches_operands_that_come_later_or_do_not_fit) {
  const size_t add = size_t(first(Opcode::add)), multiply = size_t(first(Opcode::multiply));
  expect_caught("earlier value",
                [=](EncryptedProgram& p) { p.instructions[add].b = i32(add) + 1; });
  expect_caught("earlier value", [=](EncryptedProgram& p) { p.instructions[add].a = -1; });
  expect_caught("levels differ", [=](EncryptedProgram& p) { p.instructions[multiply].b = 0; });
  expect_caught("differ", [=](EncryptedProgram& p) { p.instructions[add].b = 0; });
}

TEST(Check, catches_raised_levels_and_missing_levels) {
  EncryptedProgram p = sample();
  const i64 k = first(Opcode::drop);
  expect_caught("cannot drop", [=](EncryptedProgram& q) {
    q.instructions[size_t(k)].level = q.instructions[size_t(q.instructions[size_t(k)].a)].level + 1;
  });
  expect_caught("outside 0 to",
                [](EncryptedProgram& q) { q.instructions[0].level = q.params.max_level() + 1; });
  expect_caught("no level left", [](EncryptedProgram& q) {
    Instruction rescale = q.instructions.back();
    rescale.op = Opcode::rescale;
    rescale.table = -1;
    rescale.a = i32(std::ssize(q.instructions) - 1);
    q.instructions.push_back(rescale);
  });
}

TEST(Check, catches_sums_that_are_not_marked_or_not_completed) {
  const Graph g = normalising_net(701, 0.05f);
  const EncryptedProgram good = *compile(g, inputs_for(g, 701), test_options(11)).program;
  const auto refused = [&](const auto& change) {
    EncryptedProgram p = good;
    for (Instruction& i : p.instructions)
      if (i.op == Opcode::drop && i.steps > 0) change(p, i);
    try {
      check(p);
      return std::string("accepted");
    } catch (const Error& e) {
      return std::string(e.what());
    }
  };
  EXPECT_NO_THROW(check(good));
  using P = EncryptedProgram;
  EXPECT_NE(refused([](P&, Instruction& i) { i.steps = 0; }).find("counts them twice"),
            std::string::npos);
  EXPECT_NE(refused([](P&, Instruction& i) { i.steps = 3; }).find("a sum to period 3"),
            std::string::npos);
  EXPECT_NE(refused([](P&, Instruction& i) { i.steps = i.period; }).find("a sum to period"),
            std::string::npos);
  const std::string early = refused([](P& p, Instruction& sum) {
    for (Instruction& i : p.instructions)
      if (i.op == Opcode::fold && i.a == i32(&sum - p.instructions.data())) {
        i.op = Opcode::drop;
        i.steps = 0;
        i.period *= 2;
      }
  });
  EXPECT_NE(early, "accepted");
}

TEST(Check, catches_folds_that_are_wrong_missing_or_too_many) {
  const i64 k = first(Opcode::fold);
  expect_caught("fold", [=](EncryptedProgram& p) { p.instructions[size_t(k)].steps *= 2; });
  expect_caught("partial sums", [=](EncryptedProgram& p) {
    for (Instruction& i : p.instructions) {
      if (i.op == Opcode::fold) i.op = Opcode::drop, i.steps = 0;
      if (i.op == Opcode::drop || i.op == Opcode::rescale)
        i.period = p.instructions[size_t(i.a)].period;
    }
  });
  expect_caught("counts them twice", [](EncryptedProgram& p) {
    Instruction fold = p.instructions.back();
    fold.op = Opcode::fold;
    fold.table = -1;
    fold.a = i32(std::ssize(p.instructions) - 1);
    fold.steps = fold.period / 2;
    p.instructions.push_back(fold);
  });
}

TEST(Check, catches_fields_that_the_operation_does_not_read) {
  // last_uses and the interpreters index with operands before they look at the operation.
  const auto set = [](Opcode op, auto change) {
    return [=](EncryptedProgram& p) { change(p.instructions[size_t(first(op))]); };
  };
  for (i32 wild : {2'000'000'000, 0, -2}) {
    expect_caught("not used", set(Opcode::linear, [=](Instruction& i) { i.b = wild; }));
    expect_caught("not used", set(Opcode::input, [=](Instruction& i) { i.a = wild; }));
    expect_caught("not used", set(Opcode::rescale, [=](Instruction& i) { i.table = wild; }));
  }
  expect_caught("not used", set(Opcode::rescale, [](Instruction& i) { i.steps = 1; }));
  expect_caught("not used", set(Opcode::square, [](Instruction& i) { i.plain_scale = 2; }));
}

TEST(Check, refuses_an_output_with_partial_sums) {
  EncryptedProgram p = sample();
  while (p.instructions.back().op != Opcode::linear) p.instructions.pop_back();
  p.vectors.pop_back();
  p.keys = needed_keys(p);
  try {
    check(p);
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("would leak"), std::string::npos) << e.what();
  }
}

TEST(Check, catches_a_manifest_with_more_or_fewer_keys) {
  const char* part = "manifest";
  expect_caught(part,
                [](EncryptedProgram& p) { p.keys.rotations.erase(p.keys.rotations.begin()); });
  expect_caught(part, [](EncryptedProgram& p) { p.keys.rotations[777] = 1; });
  expect_caught(part, [](EncryptedProgram& p) { ++p.keys.rotations.begin()->second; });
  expect_caught(part, [](EncryptedProgram& p) { --p.keys.relinearisation_level; });
  expect_caught(part, [](EncryptedProgram& p) { p.keys.conjugation_level = 0; });
}

TEST(Check, catches_malformed_tables) {
  expect_caught("map 0", [](EncryptedProgram& p) { p.maps[0].rows[0].runs.back().start = 9999; });
  expect_caught("map 0", [](EncryptedProgram& p) { p.maps[0].rows[0].period *= 2; });
  expect_caught("map 0", [](EncryptedProgram& p) { p.maps[0].indices.back() = 1 << 20; });
  expect_caught("map 0", [](EncryptedProgram& p) { p.maps[0].indices.pop_back(); });
  expect_caught("map 0", [](EncryptedProgram& p) { p.maps[0].baby_count = 0; });
  expect_caught("map 0", [](EncryptedProgram& p) { p.maps[0].in_period = 3; });
  expect_caught("map 1", [](EncryptedProgram& p) {
    p.maps[1].rows[0].runs[0].value = std::numeric_limits<double>::infinity();
  });
  expect_caught("vector 0", [](EncryptedProgram& p) {
    p.vectors[0].runs.push_back(p.vectors[0].runs[0]);  // not ascending
  });
  expect_caught("used 0 times", [](EncryptedProgram& p) { p.maps.push_back(p.maps[0]); });
  const size_t k = size_t(first(Opcode::linear));
  expect_caught("does not exist", [k](EncryptedProgram& p) { p.instructions[k].table = 99; });
}

TEST(Check, catches_interface_maps_outside_their_values) {
  expect_caught("output slot", [](EncryptedProgram& p) { p.output_slots[0] = 1 << 20; });
  expect_caught("output map", [](EncryptedProgram& p) { p.output_slots.pop_back(); });
  expect_caught("input element", [](EncryptedProgram& p) { p.input_elements[0][0] = 1 << 20; });
  expect_caught("input map 0", [](EncryptedProgram& p) { p.input_elements[0].push_back(-1); });
  expect_caught("expected input 0 of 1", [](EncryptedProgram& p) { p.instructions[0].table = 1; });
  expect_caught("is not input", [](EncryptedProgram& p) {
    p.input_elements.emplace_back(size_t(p.instructions[1].period), -1);
  });
  expect_caught("batch", [](EncryptedProgram& p) { p.batch = 3; });
  expect_caught("output map", [](EncryptedProgram& p) { p.batch = 2; });
  expect_caught("layer", [](EncryptedProgram& p) { p.layers.pop_back(); });
  expect_caught("no instructions", [](EncryptedProgram& p) { p.instructions.clear(); });
}

TEST(Serialise, a_program_comes_back_as_it_was) {
  const std::vector<std::byte> bytes = save_program(sample());
  const auto loaded = load_program(bytes, "net");
  EXPECT_EQ(save_program(*loaded), bytes);
  EXPECT_EQ(loaded->hash, sample().hash);
  EXPECT_EQ(loaded->instructions, sample().instructions);
  EXPECT_EQ(loaded->maps, sample().maps);
  EXPECT_EQ(loaded->vectors, sample().vectors);
  EXPECT_EQ(loaded->keys, sample().keys);
  EXPECT_EQ(loaded->layers, sample().layers);
  EXPECT_EQ(loaded->metadata, sample().metadata);
  EXPECT_EQ(loaded->params.hash(), sample().params.hash());
}

void expect_bad_input(std::span<const std::byte> bytes, const std::string& what) {
  try {
    load_program(bytes, "net.sinter");
    ADD_FAILURE() << what << " was accepted";
  } catch (const Error& e) {
    EXPECT_EQ(int(e.kind()), int(ErrorKind::bad_input)) << what << ": " << e.what();
    EXPECT_EQ(std::string(e.what()).rfind("net.sinter", 0), 0u) << e.what();
  }
}

TEST(Serialise, truncated_extended_and_flipped_bytes_are_refused) {
  const std::vector<std::byte> bytes = save_program(sample());
  for (size_t length = 0; length < bytes.size(); length += 1 + bytes.size() / 97)
    expect_bad_input(std::span(bytes).first(length), "length " + std::to_string(length));
  std::vector<std::byte> longer = bytes;
  longer.push_back(std::byte(0));
  expect_bad_input(longer, "one byte more");
  Rng rng(test_seed(701));
  for (int round = 0; round < 100; ++round) {
    std::vector<std::byte> flipped = bytes;
    const size_t at = round < 64 ? size_t(round) : size_t(rng.below(std::ssize(bytes)));
    flipped[at] ^= std::byte(1 << rng.below(8));
    expect_bad_input(flipped, "flip at " + std::to_string(at));
  }
}

TEST(Serialise, changed_contents_under_a_right_checksum_are_refused_or_sound) {
  const std::vector<std::byte> bytes = save_program(sample());
  Rng rng(test_seed(702));
  i64 refused = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<std::byte> changed = bytes;
    const size_t at = 64 + size_t(rng.below(std::ssize(bytes) - 64));
    changed[at] ^= std::byte(1 << rng.below(8));
    const Digest digest = sha256(std::span(changed).subspan(64));
    std::memcpy(changed.data() + 32, digest.data(), digest.size());
    try {
      check(*load_program(changed, "net"));
    } catch (const Error& e) {
      ++refused;
      EXPECT_EQ(int(e.kind()), int(ErrorKind::bad_input)) << "byte " << at << ": " << e.what();
    }
  }
  EXPECT_GT(refused, 0);
}

TEST(Serialise, a_file_of_another_version_says_what_to_do) {
  for (const auto& [version, part] : {std::pair{1, "compile the model again"}, {99, "newer"}}) {
    std::vector<std::byte> bytes = save_program(sample());
    bytes[8] = std::byte(version);
    try {
      load_program(bytes, "net.sinter");
      ADD_FAILURE() << "version " << version << " was accepted";
    } catch (const Error& e) {
      EXPECT_EQ(int(e.kind()), int(ErrorKind::bad_input));
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    }
  }
}

/// The sample with map 0 replaced, under a right header and checksum.
std::vector<std::byte> with_map(const LinearMap& map) {
  EncryptedProgram p = sample();
  p.maps[0] = map;
  return save_program(p);
}

TEST(Serialise, hostile_patterns_are_refused_before_they_are_used) {
  const LinearMap original = sample().maps[0];
  ASSERT_NO_THROW(load_program(with_map(original), "net.sinter"));
  const auto with_pattern = [&](const Pattern& pattern) {
    Patterns patterns = *original.rows[0].patterns;
    patterns[0] = pattern;
    LinearMap map = original;
    const auto shared = std::make_shared<const Patterns>(std::move(patterns));
    for (SlotVector& row : map.rows) row.patterns = shared;
    return with_map(map);
  };
  const u32 most = std::numeric_limits<u32>::max();
  for (const Pattern& bad :
       {Pattern{0, 1, 0, 1, 0}, Pattern{1, 0, 0, 1, 0}, Pattern{1, 2, 0, 1, 0},
        Pattern{most, most, most, most, most}, Pattern{1, most, 1, 1, 0}, Pattern{1, 1, 0, 1, 1},
        Pattern{u32(original.period()) + 1, 1, 0, 1, 0}})
    expect_bad_input(with_pattern(bad), "a pattern of length " + std::to_string(bad.length));
  LinearMap map = original;
  map.rows[0].runs[0].pattern = u32(map.rows[0].patterns->size());
  expect_bad_input(with_map(map), "a run without a pattern");
  map = original;
  map.rows[0].runs.push_back(map.rows[0].runs.back());
  expect_bad_input(with_map(map), "a run twice");
  map = original;
  map.form = ckks::GiantForm(2);
  expect_bad_input(with_map(map), "a form that does not exist");
}

TEST(Client, packs_and_reads_what_the_program_says) {
  const EncryptedProgram& p = sample();
  Rng rng(1);
  const Tensor image = random_tensor({1, 1, 8, 8}, rng, 0.3);
  const std::vector<double> slots = pack_input(p, image)[0];
  ASSERT_EQ(std::ssize(slots), p.slots());
  for (size_t s = 0; s < slots.size(); ++s) {
    const i32 e = p.input_elements[0][s % p.input_elements[0].size()];
    ASSERT_EQ(slots[s], e < 0 ? 0 : image.as_double(e)) << "slot " << s;
  }
  EXPECT_EQ(pack_input(p, random_tensor({1, 8, 8}, rng, 0.3)).size(), 1u);
  const Tensor y = unpack_output(p, slots);
  EXPECT_EQ(y.dims(), (Dims{1, 3}));
  for (i64 e = 0; e < 3; ++e)
    EXPECT_EQ(y.as_double(e), double(float(slots[size_t(p.output_slots[size_t(e)])])));
}

TEST(Client, refuses_values_beyond_what_the_plan_has_room_for) {
  const EncryptedProgram& p = sample();
  EXPECT_GT(p.input_limit, 0);
  EXPECT_GT(p.output_limit, 0);
  Tensor image(DType::f32, {1, 1, 8, 8});
  image.mutable_data<float>()[3] = float(p.input_limit * 0.999);
  EXPECT_NO_THROW(pack_input(p, image));
  image.mutable_data<float>()[3] = float(-p.input_limit * 1.01);
  try {
    pack_input(p, image);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_input);
    EXPECT_NE(std::string(e.what()).find("element 3"), std::string::npos) << e.what();
  }
}

TEST(Client, refuses_other_shapes_types_and_nan) {
  const EncryptedProgram& p = sample();
  Rng rng(2);
  EXPECT_THROW(pack_input(p, random_tensor({1, 1, 8, 9}, rng)), Error);
  EXPECT_THROW(pack_input(p, Tensor(DType::u8, {1, 1, 8, 8})), Error);
  Tensor bad = random_tensor({1, 1, 8, 8}, rng);
  bad.mutable_data<float>()[5] = std::numeric_limits<float>::quiet_NaN();
  try {
    pack_input(p, bad);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::bad_input);
    EXPECT_NE(std::string(e.what()).find("element 5"), std::string::npos) << e.what();
  }
  EXPECT_THROW(unpack_output(p, std::vector<double>(1)), Error);
}

}  // namespace
}  // namespace sinter::encrypted::testing
