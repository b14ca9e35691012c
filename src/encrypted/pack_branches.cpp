// SPDX-License-Identifier: Apache-2.0
#include "encrypted/pack_branches.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "encrypted/detail/lowering.h"
#include "encrypted/layout.h"

namespace sinter::encrypted {
namespace {

using Signature = std::vector<i64>;

/// Where a stage ends up: class, and its place among the members.
struct Place {
  i64 cls = -1, lane = 0;
};

class Packer {
 public:
  Packer(StageGraph& graph, i64 slots)
      : g_(graph),
        slots_(slots),
        count_(std::ssize(graph.stages)),
        readers_(readers_of(graph)),
        seed_(graph.stages.size(), 0) {
    seed_[size_t(g_.output)] = fresh_seed();
  }

  i64 run() {
    do {
      refine();
      form_classes();
    } while (dissolve_misaligned());
    cut();
    i64 largest = 1;
    for (const auto& members : classes_) largest = std::max(largest, i64(members.size()));
    if (largest > 1) rewrite();
    return largest;
  }

 private:
  const Stage& stage(i32 k) const { return g_.stages[size_t(k)]; }
  i64 fresh_seed() { return ++last_seed_; }

  /// Numbers for signatures, equal when the signatures are.
  std::vector<i64> number(const std::vector<Signature>& signatures, i64& distinct) const {
    std::map<Signature, i64> ids;
    for (const Signature& s : signatures) ids.emplace(s, 0);
    distinct = 0;
    for (auto& [s, id] : ids) id = distinct++;
    std::vector<i64> colours;
    for (const Signature& s : signatures) colours.push_back(ids[s]);
    return colours;
  }

  void refine() {
    std::vector<Signature> signatures;
    for (i64 k = 0; k < count_; ++k) {
      const Stage& s = stage(i32(k));
      const Geometry& g = s.geometry;
      signatures.push_back({seed_[size_t(k)], i64(s.kind), g.members, g.channels, g.height, g.width,
                            g.gap, g.plane_height, g.plane_width, std::ssize(s.terms),
                            i64(s.is_square()), i64(s.is_sum)});
    }
    i64 distinct = 0, before = -1;
    colour_ = number(signatures, distinct);
    while (distinct != before) {
      before = distinct;
      for (i64 k = 0; k < count_; ++k) signatures[size_t(k)] = neighbourhood(i32(k));
      colour_ = number(signatures, distinct);
    }
  }

  Signature neighbourhood(i32 k) const {
    const Stage& s = stage(k);
    Signature signature{colour_[size_t(k)]};
    if (s.kind == StageKind::product) {
      signature.push_back(colour_[size_t(s.x)]);
      signature.push_back(colour_[size_t(s.y)]);
    } else {
      for (const Term& term : s.terms) signature.push_back(colour_[size_t(term.value)]);
      std::sort(signature.begin() + 1, signature.end());
    }
    signature.push_back(-1);
    const i64 readers_from = std::ssize(signature);
    for (i32 r : readers_[size_t(k)]) signature.push_back(colour_[size_t(r)]);
    std::sort(signature.begin() + readers_from, signature.end());
    return signature;
  }

  /// Classes in the order of their first members, members by the lanes of what they read.
  void form_classes() {
    classes_.clear();
    place_.assign(size_t(count_), {});
    std::map<i64, i64> class_of_colour;
    for (i64 k = 0; k < count_; ++k) {
      const auto [it, fresh] = class_of_colour.emplace(colour_[size_t(k)], std::ssize(classes_));
      if (fresh) classes_.emplace_back();
      classes_[size_t(it->second)].push_back(i32(k));
      place_[size_t(k)].cls = it->second;
    }
    for (auto& members : classes_) {
      std::sort(members.begin(), members.end(), [this](i32 a, i32 b) {
        const auto lanes = [this](i32 k) {
          std::vector<i64> all;
          for (i32 v : operands(stage(k))) all.push_back(place_[size_t(v)].lane);
          std::sort(all.begin(), all.end());
          return all;
        };
        return std::pair(lanes(a), a) < std::pair(lanes(b), b);
      });
      for (size_t i = 0; i < members.size(); ++i) place_[size_t(members[i])].lane = i64(i);
    }
  }

  bool dissolve_misaligned() {
    bool dissolved = false;
    for (const auto& members : classes_) {
      for (size_t i = 0; i < members.size(); ++i) {
        const Stage& s = stage(members[i]);
        if (s.kind != StageKind::product) continue;
        for (i32 v : {s.x, s.y}) {
          const Place& p = place_[size_t(v)];
          const auto& operand = classes_[size_t(p.cls)];
          if (operand.size() == members.size() && p.lane == i64(i)) continue;
          for (i32 k : members) seed_[size_t(k)] = fresh_seed();
          for (i32 k : operand) seed_[size_t(k)] = fresh_seed();
          dissolved = true;
        }
      }
      if (dissolved) return true;
    }
    return false;
  }

  /// How many members of a class share a ciphertext: all, or a power of two (members are padded to
  /// one), so that small groups lie inside the large ones that they meet in.
  i64 group_size(const std::vector<i32>& members) const {
    i64 fit = std::ssize(members);
    Geometry g = stage(members[0]).geometry;
    for (; fit > 1; --fit) {
      g.members = fit;
      if (footprint(g, true) <= slots_) break;
    }
    return fit;
  }

  /// Classes too large for one ciphertext are cut by lanes. Classes that a product joins are cut
  /// alike; linear stages read from as many groups as hold their operands, so branches that outgrow
  /// one ciphertext at first meet again where strides have made them small enough.
  void cut() {
    std::vector<i64> size;
    for (const auto& members : classes_) size.push_back(group_size(members));
    for (bool changed = true; changed;) {
      changed = false;
      for (i64 k = 0; k < count_; ++k) {
        if (stage(i32(k)).kind != StageKind::product) continue;
        i64& own = size[size_t(place_[size_t(k)].cls)];
        for (i32 v : {stage(i32(k)).x, stage(i32(k)).y}) {
          i64& other = size[size_t(place_[size_t(v)].cls)];
          changed = changed || own != other;
          own = other = std::min(own, other);
        }
      }
    }
    std::vector<std::vector<i32>> groups;
    for (size_t c = 0; c < classes_.size(); ++c)
      for (size_t i = 0; i < classes_[c].size(); ++i) {
        const i64 lane = i64(i) % size[c];
        if (lane == 0) groups.emplace_back();
        groups.back().push_back(classes_[c][i]);
        place_[size_t(classes_[c][i])] = {std::ssize(groups) - 1, lane};
      }
    classes_ = std::move(groups);
  }

  void rewrite() {
    std::vector<i64> height(size_t(count_), 0), order(classes_.size());
    for (i64 k = 0; k < count_; ++k)
      for (i32 v : operands(stage(i32(k))))
        height[size_t(k)] = std::max(height[size_t(k)], height[size_t(v)] + 1);
    for (size_t c = 0; c < order.size(); ++c) order[c] = i64(c);
    std::stable_sort(order.begin(), order.end(), [&](i64 a, i64 b) {
      return height[size_t(classes_[size_t(a)][0])] < height[size_t(classes_[size_t(b)][0])];
    });
    new_number_.assign(classes_.size(), -1);
    std::vector<Stage> packed;
    for (i64 c : order) {
      packed.push_back(pack(classes_[size_t(c)]));
      new_number_[size_t(c)] = i32(std::ssize(packed) - 1);
    }
    g_.output = new_number_[size_t(place_[size_t(g_.output)].cls)];
    g_.stages = std::move(packed);
    verify(g_);
  }

  Stage pack(const std::vector<i32>& members) const {
    const Stage& first = stage(members[0]);
    Stage s;
    s.kind = first.kind;
    s.name = first.name;
    s.op = first.op;
    s.merged = first.merged;
    s.is_affine = first.is_affine;
    s.is_sum = first.is_sum && (members.size() == 1 || is_interleaved(first.terms[0].value));
    s.geometry = first.geometry;
    s.geometry.members *= std::ssize(members);
    const i64 size = first.size();
    for (i32 k : members)
      for (i64 m = 0; m < first.geometry.members; ++m)
        s.origin.push_back(stage(k).origin.empty() ? Origin() : stage(k).origin[size_t(m)]);
    if (s.kind == StageKind::product) {
      s.x = new_number_[size_t(place_[size_t(first.x)].cls)];
      s.y = new_number_[size_t(place_[size_t(first.y)].cls)];
      s.shift_x = concatenate(members, &Stage::shift_x, size);
      s.shift_y = concatenate(members, &Stage::shift_y, size);
      s.post = concatenate(members, &Stage::post, size);
    } else if (s.kind == StageKind::input) {
      for (i32 k : members)
        s.source.insert(s.source.end(), stage(k).source.begin(), stage(k).source.end());
    } else {
      s.bias = concatenate(members, &Stage::bias, size);
      std::map<i64, SparseBuilder> by_class;
      for (size_t i = 0; i < members.size(); ++i)
        for (const Term& term : stage(members[i]).terms) {
          const Place& p = place_[size_t(term.value)];
          const i64 block = stage(term.value).size();
          const i64 cols = block * std::ssize(classes_[size_t(p.cls)]);
          SparseBuilder& m = by_class.try_emplace(p.cls, s.size(), cols).first->second;
          add_block(m, *term.matrix, i64(i) * size, p.lane * block);
        }
      for (auto& [cls, m] : by_class)
        s.terms.push_back({new_number_[size_t(cls)], detail::share(m.build())});
    }
    return s;
  }

  /// Members of one pixel lie interleaved, so that folds can add up each by itself (sums_slots).
  bool is_interleaved(i32 k) const {
    return stage(k).geometry.plane_height * stage(k).geometry.plane_width == 1;
  }

  std::vector<double> concatenate(const std::vector<i32>& members,
                                  std::vector<double> Stage::*field, i64 size) const {
    std::vector<double> all;
    bool any = false;
    for (i32 k : members) {
      const std::vector<double>& part = stage(k).*field;
      any = any || !part.empty();
      all.insert(all.end(), part.begin(), part.end());
      if (part.empty()) all.insert(all.end(), size_t(size), 0.0);
    }
    return any ? all : std::vector<double>();
  }

  StageGraph& g_;
  i64 slots_, count_, last_seed_ = 0;
  std::vector<std::vector<i32>> readers_;
  std::vector<i64> seed_, colour_;
  std::vector<std::vector<i32>> classes_;
  std::vector<Place> place_;
  std::vector<i32> new_number_;
};

}  // namespace

i64 pack_branches(StageGraph& graph, i64 slots) { return Packer(graph, slots).run(); }

}  // namespace sinter::encrypted
