// cuts.mjs - tells a story once without harm, and then again for each of its moments with the
// server killed (kill -9) at that moment and started again on the same data. A story ends with an
// account of what it saw; it must be the same every time.
import { Listener } from './listener.mjs';
import { Server } from './server.mjs';
import { equal, fail, proved } from './story.mjs';

// What a story is told in: a server, a merchant's listener, and moments at which the power may go.
class World {
    constructor(scene, cut) {
        this.scene = scene;
        this.cut = cut; // name of the moment, 'everywhere', or undefined
        this.moments = [];
        this.kills = 0;
    }

    get operator() {
        return this.server.operator;
    }

    isCut(name) {
        if (this.moments.includes(name)) fail(`two moments are called "${name}"`);
        this.moments.push(name);
        return this.cut === name || this.cut === 'everywhere';
    }

    async restart() {
        this.kills++;
        await this.server.restart();
    }

    // A moment of rest.
    async moment(name) {
        if (this.isCut(name)) await this.restart();
    }

    // A moment in the middle of an action: the power goes when `strike` resolves (by default when
    // the request has left), and the action is begun again after the restart, so it must be one
    // that may be repeated. Its answer.
    async during(name, action, strike) {
        if (this.isCut(name)) {
            const struck = strike ? strike() : this.operator.sent();
            const orphan = action().catch(() => {});
            await struck;
            await this.restart();
            await orphan;
        }
        return action();
    }
}

async function tellOnce(scene, flags, cut, tell) {
    const world = new World(scene, cut);
    world.listener = await Listener.open(scene);
    world.server = await Server.open(scene, flags,
                                     { data: scene.path(`data-${(cut ?? 'whole').replace(/\W/g, '-')}`) });
    try {
        world.account = await tell(world);
    } catch (error) {
        error.message = `${cut ? `[killed: ${cut}] ` : ''}${error.message}`;
        throw error;
    }
    await world.server.kill();
    await world.listener.down();
    return world;
}

export async function tellWithCuts(scene, flags, tell) {
    const whole = await tellOnce(scene, flags, undefined, tell);
    for (const cut of [...whole.moments, 'everywhere']) {
        const world = await tellOnce(scene, flags, cut, tell);
        equal(world.account, whole.account, `what was seen, with kill -9 ${cut}`);
        if (world.kills === 0) fail(`nothing was killed ${cut}`);
    }
    proved(`the same with kill -9 and restart, at each of ${whole.moments.length} moments: ` +
           `${whole.moments.join('; ')}; and at all of them`);
    return whole;
}
