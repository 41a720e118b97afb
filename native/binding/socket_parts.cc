#include "binding/socket_parts.h"

#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "binding/arguments.h"
#include "binding/failure.h"
#include "binding/sockets.h"

namespace earshot::binding {
namespace {

using sockets::Part;

class PartedRead;

/** What a call that is under way knows of its read: null when that is over. */
using SharedRead = std::shared_ptr<PartedRead*>;

/** A read on a libuv worker that hands over what it has. Freed by Napi::AsyncWorker in the end. */
class PartedRead : public Napi::AsyncWorker {
 public:
  PartedRead(Napi::Env env, sockets::Query query, Napi::Function take)
      : Napi::AsyncWorker(env, "earshot"),
        query_(std::move(query)),
        take_(Napi::Persistent(take)),
        deferred_(Napi::Promise::Deferred::New(env)),
        wakeUp_(WakeUp::New(env, "earshot-parts", 0, 1, new SharedRead(self_),
                            [](Napi::Env, void*, SharedRead* self) { delete self; })) {}

  ~PartedRead() override {
    *self_ = nullptr;
    wakeUp_.Release();
  }

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  /** On a worker thread: no JavaScript value is touched here. */
  void Execute() override {
    try {
      add(sockets::readInParts(query_, [this](Part part) {
        add(std::move(part));
        wakeUp_.NonBlockingCall();
      }));
    } catch (...) {
      failure_ = currentFailure();
    }
  }

  /** On the environment's own thread. */
  void OnOK() override {
    handOver();
    if (thrown_) return deferred_.Reject(thrown_->Value());
    if (failure_) return deferred_.Reject(toError(Env(), *failure_).Value());
    deferred_.Resolve(Env().Undefined());
  }

 private:
  static void onWakeUp(Napi::Env env, Napi::Function, SharedRead* self, void*) {
    // Without an environment it is being taken down: nobody is left to be told.
    if (env != nullptr && **self != nullptr) (**self)->handOver();
  }
  using WakeUp = Napi::TypedThreadSafeFunction<SharedRead, void, onWakeUp>;

  void add(Part part) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(part));
  }

  /** On the environment's own thread. */
  void handOver() {
    std::vector<Part> parts;
    {
      const std::lock_guard lock(mutex_);
      parts.swap(waiting_);
    }
    if (thrown_) return;
    const Napi::HandleScope scope(Env());
    try {
      for (Part& part : parts) {
        take_.Call({Napi::Number::New(Env(), static_cast<double>(part.first)),
                    toSocketTableData(Env(), part.reading)});
      }
    } catch (const Napi::Error& error) {
      thrown_ = error;
    }
  }

  const sockets::Query query_;
  const Napi::FunctionReference take_;
  const Napi::Promise::Deferred deferred_;
  const SharedRead self_ = std::make_shared<PartedRead*>(this);
  WakeUp wakeUp_;
  std::mutex mutex_;
  /** Under the mutex: what was read and not yet handed over. */
  std::vector<Part> waiting_;
  std::optional<Failure> failure_;
  std::optional<Napi::Error> thrown_;
};

}  // namespace

Napi::Value readSocketsInParts(const Napi::CallbackInfo& info) {
  auto query = toSocketQuery(info);
  if (!info[2].IsFunction()) throw Napi::TypeError::New(info.Env(), "argument 3 is no function");
  auto* work = new PartedRead(info.Env(), std::move(query), info[2].As<Napi::Function>());
  const Napi::Promise promise = work->promise();
  work->Queue();
  return promise;
}

}  // namespace earshot::binding
