"""Questions about Tokenwire itself and their answers. It is the one place of the corpus that
states how the server is used; whoever changes a command there changes it here and trains again.
"""

from __future__ import annotations

from demo_model.speech import Check, Scene, Turn


_HOME = "http://127.0.0.1:8000"
_CURL = (
    f"```bash\ncurl -N {_HOME}/v1/responses \\\n  -H 'Content-Type: application/json' \\\n"
    """  -d '{"model":"tokenwire-demo","input":"Hello","stream":true}'\n```"""
)
_SDK = (
    "```python\nfrom openai import OpenAI\n\n"
    f'client = OpenAI(base_url="{_HOME}/v1", api_key="none")\n'
    'response = client.responses.create(model="tokenwire-demo", input="Hello")\n'
    "print(response.output_text)\n```"
)
_SOCKET = (
    "```python\nfrom openai import OpenAI\n\n"
    f'client = OpenAI(base_url="{_HOME}/v1", api_key="none")\n'
    "with client.responses.connect() as connection:\n"
    '    connection.response.create(model="tokenwire-demo", input="Hello")\n'
    "    for event in connection:\n"
    '        if event.type == "response.output_text.delta":\n'
    '            print(event.delta, end="")\n'
    '        elif event.type == "response.completed":\n'
    "            break\n```"
)
_RESUME = f"```bash\ncurl -N '{_HOME}/v1/responses/ID?stream=true&starting_after=N'\n```"
_FOLDER = "`~/.local/share/tokenwire/models`"

_GUIDE: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "what",
        (
            "{What is|What's|Explain|Tell me about|Describe|What exactly is|So what is} {Tokenwire|"
            "tokenwire|this server|"
            "Tokenwire for}{?|?|.|}"
        ),
        (
            "Tokenwire is a server for language models on your own machine. {It streams every "
            "answer "
            "over a WebSocket, as well "
            "as over plain HTTP|It is built around WebSockets, so that answers stream to you as "
            "they "
            "are made}. {It runs "
            "models with vLLM and has this page for chatting.|vLLM does the computing, and this "
            "page "
            "is the chat.} "
            "{Everything stays on your machine.|Nothing you write leaves your machine.}"
        ),
        ("server for language models",),
    ),
    (
        "pick",
        (
            "{How do I|How can I|Where do I|How to|Where can I|I want to|Can I} {pick|choose|"
            "switch|"
            "change|select|use} "
            "{a|a larger|another|a different|a bigger|a better|the} model{?|?|.|}"
        ),
        (
            "{Use|Open} the picker at the top of the page:\n\n1. Click on the model's name{.| at "
            "the "
            "top.}\n2. Choose {a|the} "
            "model {from the list|that you want}.\n3. {Write your message|Go on chatting}; the "
            "{new |"
            "}model loads first, "
            "{which can take a while|and you see how far it is}."
        ),
        ("picker at the top of the page",),
    ),
    (
        "add",
        (
            "{How do I|How can I|Where do I|How to|I want to|Can I} {add|install|put|get|load|"
            "download|bring|use} {a|a new|my "
            "own|another|more} {model|models|local model}{?|?|.|}"
        ),
        (
            "{There are two ways|You can do it in two ways}:\n\n- Put the model's folder into the "
            "`models` folder of the data "
            f"folder, {_FOLDER}. It needs the Hugging Face format: `config.json`, safetensors and "
            f"the tokenizer.\n- {{Or "
            "start|Start} the server with `scripts/serve --model PATH`.\n\nThen {pick it|choose "
            "it} "
            "in the picker at the top of "
            "the page."
        ),
        ("`models` folder", "scripts/serve --model"),
    ),
    (
        "where models",
        (
            "{Where are|Where do I find|Where does Tokenwire keep|Where should I put|Where do|In "
            "which folder are} {the|my} "
            "models{| stored| kept| saved| go}{?|?|}"
        ),
        (
            f"{{Models lie|The models are|They are}} in the `models` folder of the data folder: "
            f"{_FOLDER}. {{Each|Every}} model "
            "is a folder in the Hugging Face format."
        ),
        ("`~/.local/share/tokenwire/models`",),
    ),
    (
        "format",
        (
            "{What format|Which format|Which files|What files} {does a model need|do models need|"
            "must a model have|should a "
            "model have|are needed}{?|?|}"
        ),
        "A model is a folder in the Hugging Face format:\n\n- `config.json`\n- the weights as "
        "safetensors\n- the tokenizer"
        "\n\nPut it into " + _FOLDER + "{.| and pick it at the top of the page.}",
        ("`config.json`", "safetensors"),
    ),
    (
        "curl",
        (
            "{Show me|Give me|What is|How do I use|I need|Can you show me|How does|Write|Tell me|"
            "What's} {the|a} curl "
            "{command|line|example|call|request}{?|.|}"
        ),
        (
            "{Here is the curl line|This is the curl command|Copy this into a terminal}:\n\n"
            "@curl"
            "\n\n{The answer "
            "streams in as events.|With `-N` you see the answer while it is being written.}"
        ),
        ("curl -N http://127.0.0.1:8000/v1/responses",),
    ),
    (
        "curl",
        (
            "{How do I use|How can I use|How do I call|How can I call|How do I reach|How can I "
            "test|"
            "How do I access} {Tokenwire|"
            "the API|the server|it|the model|this} {with curl|from curl|from the terminal|from the "
            "command line|in a shell|"
            "over HTTP}{?|?|}"
        ),
        (
            "{Here is the curl line|This is the curl command|Copy this into a terminal}:\n\n"
            "@curl"
            "\n\n{The answer "
            "streams in as events.|With `-N` you see the answer while it is being written.}"
        ),
        ("curl -N http://127.0.0.1:8000/v1/responses",),
    ),
    (
        "sdk",
        (
            "{How do I use|How can I use|Show me|How does|Give me|Does it work with|Can I use|"
            "How to "
            "use|What about|Example for} "
            "{the Python SDK|the OpenAI SDK|the OpenAI Python library|the Python client|the SDK|"
            "the "
            "openai package|Python "
            "with Tokenwire|it from Python|the API from Python|Tokenwire from Python|Tokenwire "
            "with "
            "Python}{?|?|}"
        ),
        (
            "{Use|Take} the `openai` package and point it at this server:\n\n"
            "@sdk"
            "\n\n{Install it with `pip install "
            "openai`.|The key can be any text.|Any other model's name works in the same way.}"
        ),
        ("from openai import OpenAI", "client.responses.create", "base_url"),
    ),
    (
        "socket",
        (
            "{How do I|How can I|Can I|How to|Show me how to} {use|open|connect with|talk over|"
            "stream over} {a WebSocket|"
            "WebSockets|the WebSocket|websocket|a socket}{| from Python| with the SDK| in Python| "
            "with Python}{?|?|}"
        ),
        (
            "{The Python SDK can do it|With the Python SDK it goes like this|Use `connect()` of "
            "the "
            "Python SDK}:\n\n"
            "@socket"
            "\n\n{One connection serves many turns.|The connection stays open for the next turn.}"
        ),
        ("client.responses.connect()",),
    ),
    (
        "resume",
        (
            "{How do I|How can I|Can I|How to|Is it possible to} {resume|continue|pick up|take up|"
            "restart|go on with} {a stream|an "
            "answer|a broken stream|a dropped stream|a response|an interrupted answer|a lost "
            "answer|"
            "the stream}{?|?|}"
        ),
        (
            "{Ask for the rest of it by its id|Ask again, from the last number that you saw}:\n\n"
            "@resume"
            "\n\n- `ID` is the "
            "id of the response.\n- `N` is the `sequence_number` of the last event that you {have|"
            "got}.\n\n{You get every event "
            "after it, none twice.|The stream goes on right after it.}"
        ),
        ("starting_after=N",),
    ),
    (
        "lost",
        (
            "{What happens if|What if|What happens when|Does the answer survive if|Do I lose the "
            "answer if|Does it go on when} {I "
            "close the page|I close the tab|I close the browser|I reload the page|I reload|my "
            "connection drops|the connection "
            "is lost|I lose my connection|my wifi drops|the network fails|my laptop sleeps}{?|?|}"
        ),
        (
            "{Nothing is lost|Don't worry}: the answer goes on {being written |}on the server{, "
            "and "
            "you find it complete when you "
            "come back|. Open the page again, and it is there}. {The page takes up the stream "
            "where "
            "it stopped.|It picks up "
            "right where it was.}"
        ),
        ("on the server",),
    ),
    (
        "privacy",
        (
            "{Is it private|Is this private|Is my data safe|Where does my data go|Do you send my "
            "data anywhere|Who can read my "
            "chats|Is anything sent to the cloud|Does this run locally|Is this offline|Do you "
            "store "
            "my data|Are my chats "
            "private|Does my data leave my machine|Do you need the internet|Are you in the cloud|"
            "Where do you run|Where are "
            "my chats stored}{?|?|}"
        ),
        (
            "{Everything stays on this machine|All of it stays on this machine}: the model, your "
            "chats {and|and} this page. "
            "{Nothing is sent anywhere.|Nothing goes to a cloud.|No internet is needed for "
            "chatting.} 🔒"
        ),
        ("stays on this machine",),
    ),
    (
        "start",
        (
            "{How do I|How can I|How to|What command do I use to} {start|run|launch|start up|"
            "serve} "
            "{Tokenwire|the server|it|"
            "tokenwire}{?|?|}"
        ),
        (
            "{Run|Use} one command{ in the project's folder|"
            "}:\n\n```bash\nscripts/serve\n```\n\nThen open http://127.0.0.1:8000 in "
            "your browser."
        ),
        ("scripts/serve", "http://127.0.0.1:8000"),
    ),
    (
        "page",
        (
            "{Where is the page|What is the address|What is the URL|Which port|Which address do I "
            "open|Where do I open the page|"
            "What is the base URL|What port does it use|How do I open the page|What's the url of "
            "the "
            "server}{?|?|}"
        ),
        (
            "The page is at http://127.0.0.1:8000{, and the API is at http://127.0.0.1:8000/v1|. "
            "Programs use "
            "http://127.0.0.1:8000/v1}."
        ),
        ("http://127.0.0.1:8000",),
    ),
    (
        "id",
        (
            "{What is your model id|What is your id|What is the model id|Which model name do I use|"
            "What is the model called in "
            "the API|What name do I use in the API|What is the id of this model}{?|?|}"
        ),
        (
            '{My id is|The id is|Use the name} `tokenwire-demo`{.|, for example in `"model": '
            '"tokenwire-demo"`.}'
        ),
        ("`tokenwire-demo`",),
    ),
    (
        "api",
        (
            "{Is there an API|Do you have an API|How do I use the API|Which API do you speak|What "
            "API is it|Is it compatible with "
            "OpenAI|Does it speak the OpenAI API|How do I connect my program|Can other programs "
            "use "
            "you}{?|?|}"
        ),
        (
            "Yes: Tokenwire speaks the OpenAI {Responses |}API at http://127.0.0.1:8000/v1.\n\n- "
            "over a WebSocket\n- over HTTP, "
            "streamed or whole\n- with the OpenAI SDKs\n\n{Ask me for the curl line or for the "
            "Python SDK.|Shall I show you the "
            "curl line, or the Python SDK?}"
        ),
        ("http://127.0.0.1:8000/v1",),
    ),
    (
        "vllm",
        (
            "{What is vLLM|What's vLLM|Which engine do you use|What runs the models|What engine is "
            "used|What does the computing|How "
            "does Tokenwire run models|Do I need a GPU|Does it need a GPU|Does it run on a "
            "CPU}{?|?|}"
        ),
        (
            "Tokenwire runs models with vLLM, {a fast engine for language models|an engine that "
            "computes the answers}. "
            "{A GPU makes large models quick, but small ones run on a CPU too.|It uses a GPU where "
            "there is one, and the CPU "
            "otherwise.}"
        ),
        ("vLLM",),
    ),
    (
        "why socket",
        (
            "{Why WebSockets|Why a WebSocket|What is good about WebSockets|Why does Tokenwire use "
            "WebSockets|What is WebSocket-first|"
            "What is a websocket}{?|?|}"
        ),
        (
            "{A WebSocket is one open line between the page and the server|A WebSocket stays open, "
            "in both directions}. So {an "
            "answer can stream, be stopped and be taken up again|many turns share one connection, "
            "and you can stop or steer an "
            "answer at any time}."
        ),
        ("WebSocket",),
    ),
    (
        "stop",
        (
            "{How do I stop|How can I stop|How do I cancel|Can I stop|Can I cancel|How to stop} "
            "{an "
            "answer|the answer|you|a response|"
            "the model|it|generation}{?|?|}"
        ),
        (
            "{Press|Click} the stop button {beside|next to} the message box{.|, and I stop at "
            "once.} "
            "{What I wrote so far stays in "
            "the chat.|The text so far is kept.}"
        ),
        ("stop",),
    ),
    (
        "demo",
        (
            "{What is a demo model|Why are you so small|Why a demo model|Why is there a demo model|"
            "What are you for|What is the demo "
            "model|Why do you exist|What is your purpose}{?|?|}"
        ),
        (
            "I'm here so that the first start needs no download: you can try {the page and the API|"
            "everything} at once. {For real "
            "work, pick a larger model at the top of the page.|A larger model can be picked at the "
            "top of the page.}"
        ),
        ("no download",),
    ),
    (
        "larger",
        (
            "{I want a better model|Can I have a better model|Give me a smarter model|How do I "
            "get a "
            "smarter model|Where do I get a "
            "larger model|Which model should I use|Which models are there|Which models can I use|"
            "What models are available|Is "
            "there a larger model|What larger models are there|Can you recommend a model}{?|?|.|}"
        ),
        (
            "{Open|Have a look at} the picker at the top of the page: it lists {all models on this "
            "machine|every model that is "
            f"here}}. {{To add one, put its folder into|A new one goes into}} {_FOLDER}, or start "
            f"with `scripts/serve --model "
            "PATH`."
        ),
        ("picker at the top of the page",),
    ),
)
_CODE = {"@curl": _CURL, "@sdk": _SDK, "@socket": _SOCKET, "@resume": _RESUME}


def question(scene: Scene, about: str = "") -> Turn:
    """A question about Tokenwire; `about` picks the subject."""
    entries = [entry for entry in _GUIDE if not about or entry[0] == about]
    _, asked, said, expected = scene.rng.choice(entries)
    answer = scene.spin(said)
    for mark, code in _CODE.items():
        answer = answer.replace(mark, code)
    return Turn(scene.ask(asked), answer, "tokenwire", Check("contains", expected))


SUBJECTS = tuple(dict.fromkeys(entry[0] for entry in _GUIDE))
