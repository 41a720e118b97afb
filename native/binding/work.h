#pragma once

#include <napi.h>

#include <optional>
#include <utility>

#include "binding/failure.h"

namespace earshot::binding {

/**
 * One thing that JavaScript can ask: `query` takes the question out of the call's arguments, `read`
 * answers it on whatever thread and never sees the environment, `present` makes a value of the
 * answer.
 */
template <class Query, class Answer>
struct Question {
  Query (*query)(const Napi::CallbackInfo&);
  Answer (*read)(const Query&);
  Napi::Value (*present)(Napi::Env, Answer&);
};

/** Answers at once, on the calling thread. */
template <const auto& kQuestion>
Napi::Value answerSync(const Napi::CallbackInfo& info) {
  const auto query = kQuestion.query(info);
  std::optional<Failure> failure;
  try {
    auto answer = kQuestion.read(query);
    return kQuestion.present(info.Env(), answer);
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    failure = currentFailure();
  }
  throw toError(info.Env(), *failure);
}

/** Answers with a promise, from a libuv worker. Freed by Napi::AsyncWorker when it has settled. */
template <class Query, class Answer>
class Work : public Napi::AsyncWorker {
 public:
  Work(Napi::Env env, const Question<Query, Answer>& question, Query query)
      : Napi::AsyncWorker(env, "earshot"),
        question_(question),
        query_(std::move(query)),
        deferred_(Napi::Promise::Deferred::New(env)) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  /** On a worker thread: no JavaScript value is touched here. */
  void Execute() override {
    try {
      answer_ = question_.read(query_);
    } catch (...) {
      failure_ = currentFailure();
    }
  }

  /** On the environment's own thread. */
  void OnOK() override {
    if (failure_) return deferred_.Reject(toError(Env(), *failure_).Value());
    try {
      deferred_.Resolve(question_.present(Env(), *answer_));
    } catch (const Napi::Error& error) {
      deferred_.Reject(error.Value());
    }
  }

 private:
  const Question<Query, Answer>& question_;
  Query query_;
  Napi::Promise::Deferred deferred_;
  std::optional<Answer> answer_;
  std::optional<Failure> failure_;
};

template <class Query, class Answer>
Napi::Value start(const Napi::CallbackInfo& info, const Question<Query, Answer>& question) {
  auto* work = new Work<Query, Answer>(info.Env(), question, question.query(info));
  const Napi::Promise promise = work->promise();
  work->Queue();
  return promise;
}

template <const auto& kQuestion>
Napi::Value answer(const Napi::CallbackInfo& info) {
  return start(info, kQuestion);
}

}  // namespace earshot::binding
