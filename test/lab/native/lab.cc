// The test addon's exports: values to and from JavaScript, and nothing else. What may take long
// runs on a libuv worker and gives a promise; nothing here checks its arguments, sockets.ts and
// namespaces.ts do.
#include <napi.h>

#include <functional>
#include <memory>

#include "failure.h"
#include "flows.h"
#include "listeners.h"
#include "netns.h"
#include "program.h"
#include "tunnel.h"

namespace {

using lab::Failure;

Napi::Error toError(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.what());
  error.Set("errno", Napi::Number::New(env, failure.error));
  error.Set("code", Napi::String::New(env, strerrorname_np(failure.error)));
  return error;
}

/// An errno as the name Node gives it; null for 0.
Napi::Value errorName(Napi::Env env, int error) {
  if (error == 0) return env.Null();
  const char* name = strerrorname_np(error);
  return Napi::String::New(env, name ? name : std::to_string(error));
}

template <typename Work>
Napi::Value synchronously(Napi::Env env, Work&& work) {
  try {
    return work();
  } catch (const Failure& failure) {
    throw toError(env, failure);
  }
}

/// Runs `work` on a libuv worker; `convert` makes its result a value on the JavaScript thread.
template <typename Result>
class Promised : public Napi::AsyncWorker {
 public:
  using Work = std::function<Result()>;
  using Convert = Napi::Value (*)(Napi::Env, const Result&);

  static Napi::Value start(Napi::Env env, Work work, Convert convert) {
    auto* worker = new Promised(env, std::move(work), convert);
    Napi::Promise promise = worker->deferred_.Promise();
    worker->Queue();
    return promise;
  }

 private:
  Promised(Napi::Env env, Work work, Convert convert)
      : AsyncWorker(env), deferred_(env), work_(std::move(work)), convert_(convert) {}

  void Execute() override {
    try {
      result_ = work_();
    } catch (const Failure& failure) {
      failure_ = std::make_unique<Failure>(failure);
    }
  }

  void OnOK() override {
    Napi::HandleScope scope(Env());
    if (failure_)
      deferred_.Reject(toError(Env(), *failure_).Value());
    else
      deferred_.Resolve(convert_(Env(), result_));
  }

  void OnError(const Napi::Error& error) override { deferred_.Reject(error.Value()); }

  Napi::Promise::Deferred deferred_;
  Work work_;
  Convert convert_;
  Result result_{};
  std::unique_ptr<Failure> failure_;
};

// ------------------------------------------------------------------ reading arguments

int integer(const Napi::Object& from, const char* key) {
  return from.Get(key).As<Napi::Number>().Int32Value();
}
uint16_t port(const Napi::Object& from, const char* key) {
  return static_cast<uint16_t>(integer(from, key));
}
std::string text(const Napi::Object& from, const char* key) {
  return from.Get(key).As<Napi::String>();
}
bool truth(const Napi::Object& from, const char* key) { return from.Get(key).As<Napi::Boolean>(); }
uint32_t word(const Napi::Object& from, const char* key) {
  return from.Get(key).As<Napi::Number>().Uint32Value();
}

template <typename Item>
std::vector<Item> list(const Napi::Value& value, Item (*read)(const Napi::Value&)) {
  auto array = value.As<Napi::Array>();
  std::vector<Item> items;
  items.reserve(array.Length());
  for (uint32_t index = 0; index < array.Length(); index++) {
    Napi::HandleScope scope(value.Env());
    items.push_back(read(array.Get(index)));
  }
  return items;
}

std::string readText(const Napi::Value& value) { return value.As<Napi::String>(); }

int descriptor(const Napi::Value& value) { return value.As<Napi::Number>().Int32Value(); }

template <typename Item>
Napi::Array toArray(Napi::Env env, const std::vector<Item>& items,
                    Napi::Value (*convert)(Napi::Env, const Item&)) {
  auto array = Napi::Array::New(env, items.size());
  for (uint32_t index = 0; index < items.size(); index++) {
    Napi::HandleScope scope(env);
    array.Set(index, convert(env, items[index]));
  }
  return array;
}

// ------------------------------------------------------------------ namespaces

Napi::Value createNamespaces(const Napi::CallbackInfo& info) {
  return synchronously(info.Env(), [&]() -> Napi::Value {
    auto made = lab::createNamespaces(descriptor(info[0]));
    auto array = Napi::Array::New(info.Env(), made.size());
    for (uint32_t index = 0; index < made.size(); index++)
      array.Set(index, Napi::Number::New(info.Env(), made[index].release()));
    return array;
  });
}

lab::FileWrite readFileWrite(const Napi::Value& value) {
  auto pair = value.As<Napi::Array>();
  return {readText(pair.Get(0u)), readText(pair.Get(1u))};
}

Napi::Value writeFiles(const Napi::CallbackInfo& info) {
  return synchronously(info.Env(), [&]() -> Napi::Value {
    auto errors = lab::writeFiles(descriptor(info[0]), list(info[1], readFileWrite));
    return toArray<int>(info.Env(), errors,
                        [](Napi::Env env, const int& error) { return errorName(env, error); });
  });
}

Napi::Value readFile(const Napi::CallbackInfo& info) {
  return synchronously(info.Env(), [&]() -> Napi::Value {
    return Napi::String::New(info.Env(), lab::readFile(descriptor(info[0]), readText(info[1])));
  });
}

using Names = std::vector<std::string>;

Napi::Value fromNames(Napi::Env env, const Names& names) {
  return toArray<std::string>(env, names,
                              [](Napi::Env env, const std::string& name) -> Napi::Value {
                                return Napi::String::New(env, name);
                              });
}

Napi::Value awaitRunning(const Napi::CallbackInfo& info) {
  int netns = descriptor(info[0]);
  Names names = list(info[1], readText);
  int timeoutMs = descriptor(info[2]);
  return Promised<Names>::start(
      info.Env(), [=] { return lab::awaitRunning(netns, names, timeoutMs); }, fromNames);
}

Napi::Value awaitAddresses(const Napi::CallbackInfo& info) {
  int netns = descriptor(info[0]);
  int timeoutMs = descriptor(info[1]);
  return Promised<Names>::start(
      info.Env(), [=] { return lab::awaitAddresses(netns, timeoutMs); }, fromNames);
}

Napi::Value run(const Napi::CallbackInfo& info) {
  int netns = descriptor(info[0]);
  Names arguments = list(info[1], readText);
  std::string input = readText(info[2]);
  return Promised<lab::ProgramResult>::start(
      info.Env(), [=] { return lab::runProgram(netns, arguments, input); },
      [](Napi::Env env, const lab::ProgramResult& result) -> Napi::Value {
        auto object = Napi::Object::New(env);
        object.Set("status", result.status);
        object.Set("stdout", result.output);
        object.Set("stderr", result.errors);
        return object;
      });
}

Napi::Value openTunnel(const Napi::CallbackInfo& info) {
  return synchronously(info.Env(), [&]() -> Napi::Value {
    auto tunnel = std::make_shared<std::unique_ptr<lab::Tunnel>>(std::make_unique<lab::Tunnel>(
        descriptor(info[0]), readText(info[1]), descriptor(info[2]), readText(info[3])));
    // The thread ends with the function that JavaScript calls to close it, or with the function.
    return Napi::Function::New(info.Env(),
                               [tunnel](const Napi::CallbackInfo&) { tunnel->reset(); });
  });
}

// ------------------------------------------------------------------ sockets

lab::ListenerSpec readListener(const Napi::Value& value) {
  auto from = value.As<Napi::Object>();
  lab::ListenerSpec spec;
  spec.protocol = integer(from, "protocol");
  spec.address = text(from, "address");
  spec.port = port(from, "port");
  spec.scope = text(from, "scope");
  spec.reuseAddress = truth(from, "reuseAddress");
  spec.reusePort = truth(from, "reusePort");
  if (from.Get("v6only").IsBoolean()) spec.v6only = truth(from, "v6only");
  spec.device = text(from, "device");
  spec.freebind = truth(from, "freebind");
  spec.transparent = truth(from, "transparent");
  spec.mark = word(from, "mark");
  spec.backlog = integer(from, "backlog");
  spec.listen = truth(from, "listen");
  spec.remoteAddress = text(from, "remoteAddress");
  spec.remotePort = port(from, "remotePort");
  if (from.Get("uid").IsNumber()) spec.uid = word(from, "uid");
  spec.keyedAddress = text(from, "keyedAddress");
  spec.keyedLength = static_cast<uint8_t>(word(from, "keyedLength"));
  spec.trial = truth(from, "trial");
  spec.unprivileged = truth(from, "unprivileged");
  return spec;
}

Napi::Value fromOpened(Napi::Env env, const lab::Opened& opened) {
  auto object = Napi::Object::New(env);
  object.Set("fd", opened.fd);
  object.Set("port", static_cast<int>(opened.port));
  object.Set("inode", static_cast<double>(opened.inode));
  object.Set("error", errorName(env, opened.error));
  object.Set("failedAt", opened.failedAt);
  return object;
}

Napi::Value openListeners(const Napi::CallbackInfo& info) {
  return synchronously(info.Env(), [&]() -> Napi::Value {
    auto all = lab::openListeners(descriptor(info[0]), list(info[1], readListener));
    return toArray<lab::Opened>(info.Env(), all, fromOpened);
  });
}

Napi::Value acceptOne(const Napi::CallbackInfo& info) {
  return synchronously(info.Env(), [&]() -> Napi::Value {
    return fromOpened(info.Env(), lab::acceptOne(descriptor(info[0])));
  });
}

Napi::Value closeDescriptors(const Napi::CallbackInfo& info) {
  for (int fd : list(info[0], descriptor)) close(fd);
  return info.Env().Undefined();
}

lab::Server readServer(const Napi::Value& value) {
  auto from = value.As<Napi::Object>();
  return {integer(from, "fd"), integer(from, "protocol"), truth(from, "serves"),
          truth(from, "answersFromAsked")};
}

lab::FlowSpec readFlow(const Napi::Value& value) {
  auto from = value.As<Napi::Object>();
  lab::FlowSpec flow;
  flow.netns = integer(from, "netns");
  flow.protocol = integer(from, "protocol");
  flow.source = text(from, "source");
  flow.sourcePort = port(from, "sourcePort");
  flow.device = text(from, "device");
  flow.destination = text(from, "destination");
  flow.port = port(from, "port");
  flow.scope = text(from, "scope");
  flow.mark = word(from, "mark");
  flow.transparent = truth(from, "transparent");
  flow.timeoutMs = integer(from, "timeoutMs");
  return flow;
}

Napi::Value fromResult(Napi::Env env, const lab::FlowResult& result) {
  auto object = Napi::Object::New(env);
  object.Set("error", errorName(env, result.error));
  object.Set("failedAt", result.failedAt);
  object.Set("source", result.source);
  object.Set("sourcePort", static_cast<int>(result.sourcePort));
  object.Set("connected", result.connected);
  auto takers = Napi::Array::New(env, result.takers.size());
  for (uint32_t index = 0; index < result.takers.size(); index++)
    takers.Set(index, Napi::Number::New(env, result.takers[index]));
  object.Set("takers", takers);
  object.Set("seenSource", result.seenSource);
  object.Set("seenPort", static_cast<int>(result.seenPort));
  object.Set("answerError", errorName(env, result.answerError));
  object.Set("answeredFrom", result.answeredFrom);
  object.Set("answeredPort", static_cast<int>(result.answeredPort));
  object.Set("elapsedMs", result.elapsedMs);
  return object;
}

Napi::Value runFlows(const Napi::CallbackInfo& info) {
  auto servers = list(info[0], readServer);
  auto flows = list(info[1], readFlow);
  int window = descriptor(info[2]);
  using Results = std::vector<lab::FlowResult>;
  return Promised<Results>::start(
      info.Env(), [=] { return lab::runFlows(servers, flows, window); },
      [](Napi::Env env, const Results& results) -> Napi::Value {
        return toArray<lab::FlowResult>(env, results, fromResult);
      });
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("createNamespaces", Napi::Function::New(env, createNamespaces));
  exports.Set("writeFiles", Napi::Function::New(env, writeFiles));
  exports.Set("readFile", Napi::Function::New(env, readFile));
  exports.Set("awaitRunning", Napi::Function::New(env, awaitRunning));
  exports.Set("awaitAddresses", Napi::Function::New(env, awaitAddresses));
  exports.Set("run", Napi::Function::New(env, run));
  exports.Set("openTunnel", Napi::Function::New(env, openTunnel));
  exports.Set("openListeners", Napi::Function::New(env, openListeners));
  exports.Set("acceptOne", Napi::Function::New(env, acceptOne));
  exports.Set("closeDescriptors", Napi::Function::New(env, closeDescriptors));
  exports.Set("runFlows", Napi::Function::New(env, runFlows));
  return exports;
}

}  // namespace

NODE_API_MODULE(lab, init)
