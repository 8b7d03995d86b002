"""A real browser without a window, spoken to over a pipe."""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')
FLAGS = (
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
    '--remote-debugging-pipe',
)


def find_browser() -> str | None:
    """The path of Chromium or Chrome, if one is installed."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """A tab of the browser.

    Attributes:
        complaints: What the browser and the page have said of errors.
    """

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._receive = send, os.fdopen(receive, 'rb')
        self._number, self._session = 0, None
        self.complaints: list[str] = []
        self._loaded = False
        target = self._call('Target.createTarget', url='about:blank')['targetId']
        attached = self._call('Target.attachToTarget', targetId=target, flatten=True)
        self._session = attached['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self._call(f'{domain}.enable')

    def open(self, file: Path, width: int, dark: bool = False) -> None:
        """Show a file, and wait until all of it is there."""
        self._call(
            'Emulation.setDeviceMetricsOverride',
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = dict(name='prefers-color-scheme', value='dark' if dark else 'light')
        self._call('Emulation.setEmulatedMedia', features=[scheme])
        self._loaded = False
        self._call('Page.navigate', url=file.resolve().as_uri())
        while not self._loaded:
            self._read()

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives."""
        result = self._call(
            'Runtime.evaluate', expression=expression, returnByValue=True
        )
        return result['result'].get('value')

    def picture(self, file: Path) -> None:
        """Save the whole page as PNG."""
        data = self._call('Page.captureScreenshot', captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(data['data']))

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = dict(id=self._number, method=method, params=parameters)
        if self._session is not None:
            message['sessionId'] = self._session
        os.write(self._send, json.dumps(message).encode() + b'\0')
        while True:
            answer = self._read()
            if answer.get('id') == self._number:
                assert 'error' not in answer, answer
                return answer['result']

    def _read(self) -> dict[str, Any]:
        data = b''
        while not data.endswith(b'\0'):
            byte = self._receive.read(1)
            assert byte, 'the browser has ended'
            data += byte
        message = json.loads(data[:-1])
        self._note(message.get('method', ''), message.get('params', {}))
        return message

    def _note(self, method: str, found: dict[str, Any]) -> None:
        self._loaded |= method == 'Page.loadEventFired'
        if method == 'Runtime.exceptionThrown':
            self.complaints.append(str(found['exceptionDetails']))
        elif method == 'Log.entryAdded' and found['entry']['level'] == 'error':
            self.complaints.append(found['entry']['text'])
        elif method == 'Runtime.consoleAPICalled' and found['type'] == 'error':
            self.complaints.append(str(found['args']))
        elif method == 'Network.requestWillBeSent':
            url = found['request']['url']
            if not url.startswith(('file:', 'data:')):
                self.complaints.append(f'asks the network for {url}')


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """Start a browser and give its page.

    Args:
        profile: An empty folder.
    """
    path = find_browser()
    assert path is not None
    to_read, to_write = os.pipe()
    answers, answering = os.pipe()
    command = [path, *FLAGS, f'--user-data-dir={profile}']

    def wire() -> None:
        # The browser reads from descriptor 3 and writes to 4; neither of those that
        # take their place may be overwritten by the other.
        ends = [os.dup(to_read), os.dup(answering)]
        ends = [os.dup2(end, 100 + n) for n, end in enumerate(ends)]
        for number, end in enumerate(ends, 3):
            os.dup2(end, number)

    process = subprocess.Popen(
        command,
        preexec_fn=wire,
        pass_fds=(3, 4),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read)
    os.close(answering)
    try:
        yield Page(to_write, answers)
    finally:
        process.kill()
        process.wait()
