// SPDX-License-Identifier: Apache-2.0
// What the operator tests share: random tensors, one-line evaluation, checks of errors, and the
// value of a symbolic dimension once its symbols have numbers.
#pragma once
#include <gtest/gtest.h>

#include <cctype>
#include <cstdlib>
#include <functional>
#include <map>

#include "base/random.h"
#include "graph/evaluate.h"

namespace sinter::test {

/// SINTER_TEST_SEED, or the test's own.
inline u64 seed_or(u64 own) {
  const char* forced = std::getenv("SINTER_TEST_SEED");
  return forced ? std::strtoull(forced, nullptr, 0) : own;
}

/// Small whole numbers and halves for every type, so that sums stay exact in float.
inline Tensor random_tensor(DType type, Dims dims, Rng& rng) {
  Tensor t(DType::f64, std::move(dims));
  for (double& v : t.mutable_data<double>())
    v = is_float(type) ? double(rng.below(33) - 16) / 4 : double(rng.below(100));
  if (type != DType::string) return convert(t, type);
  Tensor s(DType::string, t.dims());
  for (std::string& v : s.mutable_strings()) v = "s" + std::to_string(rng.below(1000));
  return s;
}

inline Tensor normal_tensor(DType type, Dims dims, Rng& rng) {
  Tensor t(DType::f64, std::move(dims));
  for (double& v : t.mutable_data<double>()) v = rng.normal();
  return convert(t, type);
}

inline Tensor ints(std::vector<i64> values) {
  return Tensor::of<i64>({std::ssize(values)}, std::span<const i64>(values));
}

inline std::vector<Tensor> run_all(Op op, std::vector<const Tensor*> inputs,
                                   const Attributes& attributes = {}, i64 outputs = 1) {
  return evaluate_op(op, attributes, inputs, outputs);
}
inline Tensor run(Op op, std::vector<const Tensor*> inputs, const Attributes& attributes = {}) {
  return std::move(run_all(op, std::move(inputs), attributes)[0]);
}

template <class T>
void expect_tensor(const Tensor& found, const Dims& dims, const std::vector<T>& values) {
  EXPECT_EQ(found.dims(), dims);
  ASSERT_EQ(found.size(), std::ssize(values));
  if constexpr (std::is_same_v<T, std::string>) {
    EXPECT_EQ(found.strings(), values);
  } else {
    ASSERT_EQ(found.dtype(), dtype_of<T>());
    for (i64 i = 0; i < found.size(); ++i) {
      const T v = found.data<T>()[size_t(i)], w = values[size_t(i)];
      ASSERT_TRUE(v == w || (v != v && w != w)) << "element " << i << ": " << v << ", not " << w;
    }
  }
}

/// body throws Error(kind) whose message contains `part`.
inline void expect_error(ErrorKind kind, const std::string& part,
                         const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos)
        << "\"" << error.what() << "\" lacks \"" << part << "\"";
    return;
  }
  ADD_FAILURE() << "no error; expected one with \"" << part << "\"";
}

/// Calls body(index) for every index of `dims` in memory order.
inline void for_each_index(const Dims& dims, const std::function<void(const Dims&)>& body) {
  Dims at(dims.size(), 0);
  for (i64 n = element_count(dims); n > 0; --n) {
    body(at);
    for (i64 a = std::ssize(dims) - 1; a >= 0 && ++at[size_t(a)] == dims[size_t(a)]; --a)
      at[size_t(a)] = 0;
  }
}

inline i64 position(const Dims& dims, const Dims& index) {
  i64 at = 0;
  for (size_t a = 0; a < dims.size(); ++a) at = at * dims[a] + index[a];
  return at;
}

/// Reads the text of a Dim, "2*batch + floor((h + 1)/2)", with numbers for its symbols.
class DimValue {
 public:
  DimValue(std::string text, const std::map<std::string, i64>& symbols)
      : text_(std::move(text)), symbols_(symbols) {}
  i64 operator()() {
    const i64 v = sum();
    EXPECT_EQ(at_, text_.size()) << text_;
    return v;
  }

 private:
  bool take(const std::string& token) {
    if (text_.compare(at_, token.size(), token) != 0) return false;
    at_ += token.size();
    return true;
  }
  i64 sum() {
    i64 v = take("-") ? -product() : product();
    while (true) {
      if (take(" + "))
        v += product();
      else if (take(" - "))
        v -= product();
      else
        return v;
    }
  }
  i64 product() {
    i64 v = factor();
    while (take("*")) v *= factor();
    return v;
  }
  i64 factor() {
    if (take("floor((")) {
      const i64 above = sum();
      EXPECT_TRUE(take(")/")) << text_;
      const bool paren = take("(");
      const i64 below = sum();
      EXPECT_TRUE(take(paren ? "))" : ")")) << text_;
      return above / below - (above % below != 0 && (above < 0) != (below < 0) ? 1 : 0);
    }
    for (const bool largest : {true, false}) {
      if (!take(largest ? "max(" : "min(")) continue;
      i64 v = sum();
      while (take(", ")) {
        const i64 next = sum();
        v = largest ? std::max(v, next) : std::min(v, next);
      }
      EXPECT_TRUE(take(")")) << text_;
      return v;
    }
    size_t end = at_;
    while (end < text_.size() && (std::isalnum(text_[end]) || text_[end] == '_')) ++end;
    const std::string word = text_.substr(at_, end - at_);
    at_ = end;
    EXPECT_FALSE(word.empty()) << text_;
    if (word.empty() || std::isdigit(word[0])) return std::atoll(word.c_str());
    return symbols_.at(word);
  }

  std::string text_;
  const std::map<std::string, i64>& symbols_;
  size_t at_ = 0;
};

/// `inferred` says nothing that `dims` contradicts; with `exact` it also says everything.
inline void expect_shape(const std::optional<Shape>& inferred, const Dims& dims,
                         const std::map<std::string, i64>& symbols, bool exact) {
  ASSERT_TRUE(inferred || !exact) << "no shape inferred for " << to_text(dims);
  if (!inferred) return;
  const std::string both = to_text(*inferred) + " for " + to_text(dims);
  ASSERT_EQ(inferred->size(), dims.size()) << both;
  for (size_t a = 0; a < dims.size(); ++a) {
    const Dim& d = inferred->at(a);
    EXPECT_TRUE(d.is_known() || !exact) << both;
    if (d.is_known()) {
      EXPECT_EQ(DimValue(d.text(), symbols)(), dims[a]) << both;
    }
  }
}

}  // namespace sinter::test
